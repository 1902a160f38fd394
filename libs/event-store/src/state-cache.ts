import type { Position } from './event-store.js';
import { createKeyedQueue, type KeyedQueue, type KeyedQueueLimits } from './keyed-queue.js';
import { createSharedReads, type SharedReads } from './shared-reads.js';

/** The state of a stream. It is shared by all who ask for it: read it, never change it. */
export type Loaded<S> = Readonly<{
  state: S;
  /** Of the last event folded; -1 where there is none. */
  revision: number;
  recordedAt: string | null;
  position: Position | null;
}>;

/** A stream as far as it has been folded, always from its first event and without a gap. */
export type Fold<S> = {
  at: Loaded<S>;
  readonly commandIds: Set<string>;
  /** The `traceparent` of the last event folded. */
  cause?: string;
};

export type StateCacheLimits = KeyedQueueLimits &
  Readonly<{
    /** Streams remembered at most; 2,000 unless told. With 0 commands still take turns. */
    streamsMax?: number;
    /** Events folded into all that is remembered together; 200,000 unless told. */
    eventsMax?: number;
  }>;

export type StateCache<S> = Readonly<{
  /** What is remembered of a stream; the store may hold more of it by now. */
  recall: (name: string) => Fold<S> | undefined;
  /** Keeps a fold, and forgets those that were used least recently when there are too many. */
  remember: (name: string, fold: Fold<S>) => void;
  forget: (name: string) => void;
  inTurn: KeyedQueue;
  shared: SharedReads<Fold<S>>;
}>;

/**
 * Recently folded state of one kind of stream. It spares reads and is never trusted: what is decided
 * on it holds because of an append at its revision, or is decided anew on what the store has.
 */
export function createStateCache<S>(limits: StateCacheLimits = {}): StateCache<S> {
  const { streamsMax = 2_000, eventsMax = 200_000 } = limits;
  const kept = new Map<string, { fold: Fold<S>; events: number }>();
  let total = 0;

  const forget = (name: string) => {
    total -= kept.get(name)?.events ?? 0;
    kept.delete(name);
  };
  const remember = (name: string, fold: Fold<S>) => {
    forget(name);
    const events = fold.at.revision + 1;
    // A name without a stream is not worth the place of another, nor is one stream that of all.
    if (events === 0 || events > eventsMax || streamsMax === 0) return;
    kept.set(name, { fold, events });
    total += events;
    for (const oldest of kept.keys()) {
      if (kept.size <= streamsMax && total <= eventsMax) return;
      forget(oldest);
    }
  };
  return {
    recall: (name) => kept.get(name)?.fold,
    remember,
    forget,
    inTurn: createKeyedQueue(limits),
    shared: createSharedReads(),
  };
}
