export type KeyedQueueLimits = Readonly<{
  /** Those that may wait for one key at a time; 1,000 unless told. */
  waitingMax?: number;
  /** How long one may wait for its turn; 10,000 ms unless told. */
  waitMs?: number;
}>;

/** Too many wait for the same key, or one has waited too long: nothing was done. */
export class TooBusy extends Error {
  constructor(
    readonly key: string,
    reason: string,
  ) {
    super(`${key} is too busy: ${reason}`);
    this.name = 'TooBusy';
  }
}

/** @throws TooBusy before the work has begun */
export type KeyedQueue = <T>(key: string, work: () => Promise<T>) => Promise<T>;

/**
 * One at a time per key within this process, in the order of asking. It only spares conflicts
 * between those who would append to the same stream; what keeps the streams right is their
 * expected revision. The work of a key must not wait for the same key again.
 */
export function createKeyedQueue(limits: KeyedQueueLimits = {}): KeyedQueue {
  const { waitingMax = 1_000, waitMs = 10_000 } = limits;
  const lines = new Map<string, Set<() => void>>();

  const joinLine = (key: string, line: Set<() => void>) =>
    new Promise<void>((resolve, reject) => {
      const start = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        line.delete(start);
        reject(new TooBusy(key, `no turn within ${waitMs} ms`));
      }, waitMs);
      line.add(start);
    });

  const takeTurn = async (key: string): Promise<void> => {
    const line = lines.get(key);
    if (line === undefined) lines.set(key, new Set());
    else if (line.size < waitingMax) await joinLine(key, line);
    else throw new TooBusy(key, `${waitingMax} are waiting`);
  };

  const passTurn = (key: string): void => {
    const line = lines.get(key);
    const [next] = line ?? [];
    if (next === undefined) lines.delete(key);
    else {
      line?.delete(next);
      next();
    }
  };

  return async (key, work) => {
    await takeTurn(key);
    try {
      return await work();
    } finally {
      passTurn(key);
    }
  };
}
