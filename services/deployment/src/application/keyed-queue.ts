export type KeyedQueue = <T>(key: string, work: () => Promise<T>) => Promise<T>;

/**
 * One at a time per key within this process. It only spares conflicts between requests that would
 * append to the same stream; what keeps the streams right is their expected revision.
 */
export function createKeyedQueue(): KeyedQueue {
  const tails = new Map<string, Promise<void>>();
  return async (key, work) => {
    const before = tails.get(key) ?? Promise.resolve();
    const mine = before.then(work);
    const tail = mine.then(
      () => undefined,
      () => undefined,
    );
    tails.set(key, tail);
    try {
      return await mine;
    } finally {
      if (tails.get(key) === tail) tails.delete(key);
    }
  };
}
