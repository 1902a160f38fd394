import { goldenEvents } from '@patchtrail/event-store/golden';
import { describeReadModels } from '@patchtrail/testing/read-models';
import { GOLDEN, SCENARIOS } from '../event-store/golden.suite.js';
import { deploymentMigrations } from './migrations.js';
import { deploymentReadModels } from './read-models.js';

describeReadModels({
  readModels: deploymentReadModels,
  migrations: deploymentMigrations,
  golden: SCENARIOS.flatMap((scenario) => goldenEvents(GOLDEN, scenario)),
});
