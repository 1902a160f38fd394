import { describe, expect, it } from '@jest/globals';
import { goldenFaults, goldenState, goldenStreams } from '@patchtrail/event-store/golden';
import { GOLDEN, goldenKinds, runScenario, SCENARIOS } from './golden.suite.js';

describe('golden streams', () => {
  const streams = goldenStreams(GOLDEN);

  it('stand for every event in every version, and are as they were recorded', () => {
    expect(goldenFaults(GOLDEN, goldenKinds)).toEqual([]);
  });

  it.each(streams)('$name folds to its state', (stream) => {
    const kind = goldenKinds.find(({ category }) => stream.name.startsWith(`${category}.`));
    expect(kind?.fold(stream.events)).toEqual(goldenState(GOLDEN, stream));
  });

  it.each(SCENARIOS)('of %s were recorded, and can be again', async (scenario) => {
    expect(streams.map((stream) => stream.scenario)).toContain(scenario);
    expect(await runScenario(scenario)).not.toEqual([]);
  });
});
