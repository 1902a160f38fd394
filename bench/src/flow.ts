import { setTimeout as pause } from 'node:timers/promises';
import type { Slice } from './closed-loop.js';

/** A way from a publisher to a consumer that has settled what it got. */
export type Pipe = Readonly<{
  /** Resolves when they are durable. */
  publish: (count: number) => Promise<void>;
  close: () => Promise<void>;
}>;

/** A pipe that reports what its consumers have settled, also while it is being opened. */
export type OpenPipe = (settled: (count: number) => void) => Promise<Pipe>;

export type Flow = Readonly<{
  /**
   * Publishes in batches while no more than `window` messages are on their way, then waits for the
   * rest; all of that time counts. With a window of one, each message's latency is kept.
   */
  measure: (window: number, forMs: number) => Promise<Slice>;
  close: () => Promise<void>;
}>;

const BATCH_MAX = 100;
const DRAIN_MS_MAX = 120_000;

export async function openFlow(open: OpenPipe): Promise<Flow> {
  let underWay = 0;
  let wake = (): void => undefined;
  const pipe = await open((count) => {
    underWay -= count;
    wake();
  });
  const untilAtMost = async (count: number) => {
    const late = new AbortController();
    const end = performance.now() + DRAIN_MS_MAX;
    const deadline = pause(DRAIN_MS_MAX, undefined, { signal: late.signal }).catch(() => undefined);
    while (underWay > count) {
      if (performance.now() >= end) throw new Error(`${underWay} messages were not consumed.`);
      await Promise.race([new Promise<void>((resolve) => (wake = resolve)), deadline]);
    }
    late.abort();
  };
  const measure = async (window: number, forMs: number): Promise<Slice> => {
    const slice: Slice = { done: 0, failed: 0, ms: 0, latencies: [] };
    const batch = Math.min(BATCH_MAX, window);
    const begin = performance.now();
    for (let from = begin; from < begin + forMs; from = performance.now()) {
      underWay += batch;
      await pipe.publish(batch);
      slice.done += batch;
      await untilAtMost(window - batch);
      if (window === 1) slice.latencies.push(performance.now() - from);
    }
    await untilAtMost(0);
    slice.ms = performance.now() - begin;
    return slice;
  };
  return { measure, close: pipe.close };
}
