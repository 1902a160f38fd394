import { recordGolden } from '@patchtrail/event-store/golden';
import { GOLDEN, goldenKinds, runScenario, SCENARIOS } from './golden.suite.js';

/** Writes the golden streams that are not there yet, and the states of all. */
for (const scenario of SCENARIOS) {
  const added = recordGolden(GOLDEN, goldenKinds, scenario, await runScenario(scenario));
  for (const file of added) process.stdout.write(`${file}\n`);
}
