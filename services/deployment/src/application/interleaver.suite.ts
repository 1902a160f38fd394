import type { EventStore } from '@patchtrail/event-store';

/** A small generator of pseudo-random numbers in [0, n), the same for the same seed. */
export function randomFrom(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n;
  };
}

/**
 * Lets concurrent work meet the store in an order of its own choosing: every read and append waits
 * at a gate, and the gates are opened one at a time, at random.
 */
export function createInterleaver(inner: EventStore, random: (n: number) => number) {
  const gates: (() => void)[] = [];
  const gate = () => new Promise<void>((resolve) => gates.push(resolve));

  const store: EventStore = {
    ...inner,
    append: async (...of) => {
      await gate();
      return inner.append(...of);
    },
    read: async (...of) => {
      await gate();
      return inner.read(...of);
    },
  };

  const run = async (work: readonly (() => Promise<void>)[]): Promise<void> => {
    let left = work.length;
    const errors: unknown[] = [];
    for (const one of work) {
      void one()
        .catch((error: unknown) => errors.push(error))
        .finally(() => {
          left -= 1;
        });
    }
    while (left > 0) {
      await new Promise(setImmediate);
      const [open] = gates.splice(random(Math.max(1, gates.length)), 1);
      open?.();
    }
    if (errors.length > 0) throw errors[0];
  };
  return { store, run };
}
