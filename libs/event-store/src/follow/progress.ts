import type { EventStore, Position } from '../event-store.js';

/** How far a background reader of the store has come, and its health. */
export type Projection = Readonly<{
  /** Resolves when the reader has stopped after its signal; it never rejects. */
  done: Promise<void>;
  /** Everything that the store held when it was last looked at is applied. */
  caughtUp: () => boolean;
  /** Everything up to here is applied; `null` at the start. */
  position: () => Position | null;
  /** The message of the last failure since something could be applied. */
  lastError: () => string | null;
  /** Whether everything up to the position is applied, now or within the milliseconds. */
  reached: (position: Position, deadlineMs: number) => Promise<boolean>;
  /** The same for the head of the store as it is at the time of the call. */
  reachedHead: (deadlineMs: number) => Promise<boolean>;
}>;

/** The writing side of a `Projection`. */
export type Progress = {
  view(done: Promise<void>): Projection;
  /** Goes on from a checkpoint; what was known before no longer counts. */
  resume(position: Position | null): void;
  /** Events are in hand that are not applied yet. */
  receive(): void;
  advance(position: Position): void;
  catchUp(): void;
  /** Returns how many failures followed each other without anything being applied between them. */
  fail(error: unknown): number;
  interrupt(): void;
  stop(): void;
};

type Waiter = { position: Position; settle: (isReached: boolean) => void };

export function createProgress(store: EventStore): Progress {
  let position: Position | null = null;
  let isCaughtUp = false;
  let isStopped = false;
  let failures = 0;
  let lastError: string | null = null;
  const waiters = new Set<Waiter>();

  const isReached = (wanted: Position) =>
    position !== null && store.comparePositions(position, wanted) >= 0;
  const tellWaiters = () => {
    for (const waiter of [...waiters]) if (isReached(waiter.position)) waiter.settle(true);
  };
  const reached = (wanted: Position, deadlineMs: number) => {
    if (isStopped || isReached(wanted)) return Promise.resolve(isReached(wanted));
    return new Promise<boolean>((resolve) => {
      const settle = (result: boolean) => {
        clearTimeout(timer);
        waiters.delete(waiter);
        resolve(result);
      };
      const waiter = { position: wanted, settle };
      const timer = setTimeout(settle, deadlineMs, false);
      waiters.add(waiter);
    });
  };
  const reachedHead = async (deadlineMs: number) => {
    const head = await store.head();
    return head === null || reached(head, deadlineMs);
  };

  return {
    view: (done) => ({
      done,
      caughtUp: () => isCaughtUp,
      position: () => position,
      lastError: () => lastError,
      reached,
      reachedHead,
    }),
    resume: (from) => {
      position = from;
      tellWaiters();
    },
    receive: () => {
      isCaughtUp = false;
    },
    advance: (to) => {
      position = to;
      failures = 0;
      lastError = null;
      tellWaiters();
    },
    catchUp: () => {
      isCaughtUp = true;
    },
    fail: (error) => {
      failures += 1;
      lastError = error instanceof Error ? error.message : String(error);
      return failures;
    },
    interrupt: () => {
      isCaughtUp = false;
    },
    stop: () => {
      isStopped = true;
      for (const waiter of [...waiters]) waiter.settle(false);
    },
  };
}
