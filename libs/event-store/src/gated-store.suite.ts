import type { EventStore } from './event-store.js';

/** A pseudo-random number in [0, n), the same sequence for the same seed. */
export type Random = (n: number) => number;

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

export class ReplyLost extends Error {}

/**
 * A store whose requests and answers all wait at gates, opened one at a time in an order of their
 * own; now and then an append is stored, or is not, and its answer is lost.
 */
export function createGates(inner: EventStore, random: Random, lossPercent: number) {
  const gates: (() => void)[] = [];
  const gate = () => new Promise<void>((resolve) => gates.push(resolve));
  const mayLose = () => {
    if (random(100) < lossPercent) throw new ReplyLost('the reply was lost');
  };

  const store: EventStore = {
    ...inner,
    append: async (...of) => {
      await gate();
      mayLose();
      const appended = await inner.append(...of);
      await gate();
      mayLose();
      return appended;
    },
    read: async (...of) => {
      await gate();
      const page = await inner.read(...of);
      await gate();
      return page;
    },
  };

  /** Opens gates until all the work is done. */
  const run = async (work: readonly (() => Promise<void>)[]): Promise<void> => {
    let left = work.length;
    const done = Promise.all(
      work.map(async (one) => {
        try {
          await one();
        } finally {
          left -= 1;
        }
      }),
    );
    done.catch(() => undefined);
    while (left > 0) {
      await new Promise(setImmediate);
      const [open] = gates.splice(random(Math.max(1, gates.length)), 1);
      open?.();
    }
    await done;
  };
  return { store, run };
}
