import { goldenEvents } from '@patchtrail/event-store/golden';
import { describeReadModels } from '@patchtrail/testing/read-models';
import { GOLDEN, SCENARIOS } from '../event-store/golden.suite.js';
import { approvalMigrations } from './migrations.js';
import { approvalReadModels } from './read-models.js';

describeReadModels({
  readModels: approvalReadModels,
  migrations: approvalMigrations,
  golden: SCENARIOS.flatMap((scenario) => goldenEvents(GOLDEN, scenario)),
});
