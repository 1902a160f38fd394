import { describe, expect, it } from '@jest/globals';
import type { Bus } from '@patchtrail/messaging';
import { reportingEnds } from './bus.js';

const bus: Bus = {
  ensureTopic: () => Promise.resolve(),
  publish: () => Promise.resolve(),
  lag: () => Promise.resolve(0n),
  rewind: () => Promise.resolve(),
  run: () => Promise.reject(new Error('not authorized')),
};

describe('a consumer that has ended for good', () => {
  it('is reported, and ends in order once it is told to stop', async () => {
    const stop = new AbortController();
    const reported: unknown[] = [];
    let hasEnded = false;
    const run = reportingEnds(bus, (error) => void reported.push(error))
      .run({ group: 'g', topics: ['t'], handle: () => Promise.resolve(), signal: stop.signal })
      .then(() => (hasEnded = true));
    await new Promise(setImmediate);
    expect([reported, hasEnded]).toEqual([[new Error('not authorized')], false]);
    stop.abort();
    await run;
  });
});
