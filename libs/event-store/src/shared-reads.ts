type Running<T> = { readonly result: Promise<T>; hasBegun: boolean; next: Promise<T> | null };

export type SharedReads<T> = (key: string, read: () => Promise<T>) => Promise<T>;

/**
 * Merges concurrent reads of a key: never more than one runs, and those who ask meanwhile share the
 * one after it. Nobody is given a read that had begun before they asked, for it may have missed
 * what they know to be there.
 */
export function createSharedReads<T>(): SharedReads<T> {
  const running = new Map<string, Running<T>>();

  const begin = (key: string, read: () => Promise<T>): Promise<T> => {
    // Not before this turn of the event loop's work is over, so that those who ask together share.
    const result = Promise.resolve().then(() => {
      mine.hasBegun = true;
      return read();
    });
    const mine: Running<T> = { result, hasBegun: false, next: null };
    running.set(key, mine);
    const end = () => {
      if (mine.next === null) running.delete(key);
    };
    void result.then(end, end);
    return result;
  };

  return (key, read) => {
    const current = running.get(key);
    if (current === undefined) return begin(key, read);
    if (!current.hasBegun) return current.result;
    const beginNext = () => begin(key, read);
    current.next ??= current.result.then(beginNext, beginNext);
    return current.next;
  };
}
