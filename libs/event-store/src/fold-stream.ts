import type { Decider, Message } from '@patchtrail/event-sourcing';
import type { Codec } from './codec.js';
import type { EventStore, StoredEvent } from './event-store.js';
import type { Fold, StateCache } from './state-cache.js';

const PAGE_SIZE = 500;

/** How one kind of stream is decided, stored and read back. */
export type Stream<S, C extends Message, E extends Message> = Readonly<{
  store: EventStore;
  decider: Decider<S, C, E>;
  codec: Codec<E>;
  /** One for this kind of stream in this process. Without it every command reads its stream. */
  cache?: StateCache<S>;
}>;

/** Events are missing from a stream, so its state cannot be told. */
export class TruncatedStream extends Error {
  constructor(
    readonly stream: string,
    /** The revision that must come next. */
    readonly missing: number,
    /** The revision that comes instead. */
    readonly found: number,
  ) {
    super(
      `Stream ${stream} goes on at revision ${found}, not ${missing}: ` +
        'what was in between has been archived or truncated, and its state cannot be folded.',
    );
    this.name = 'TruncatedStream';
  }
}

/** The events of a stream from a revision on. @throws TruncatedStream */
export async function* eventsFrom(
  store: EventStore,
  name: string,
  from: number,
): AsyncGenerator<StoredEvent> {
  let next = from;
  for (;;) {
    const page = await store.read(name, { from: next, maxCount: PAGE_SIZE });
    for (const stored of page) {
      if (stored.revision !== next) throw new TruncatedStream(name, next, stored.revision);
      next += 1;
      yield stored;
    }
    if (page.length < PAGE_SIZE) return;
  }
}

export function emptyFold<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
): Fold<S> {
  const at = { state: stream.decider.initial, revision: -1, recordedAt: null, position: null };
  return { at, commandIds: new Set() };
}

/** Folds the next event of a stream; throws, and changes nothing, where it cannot be applied. */
export function advance<S, C extends Message, E extends Message>(
  { decider, codec }: Stream<S, C, E>,
  fold: Fold<S>,
  stored: StoredEvent,
): E {
  const { revision, recordedAt, position } = stored;
  const event = codec.decode(stored);
  const state = decider.evolve(fold.at.state, event);
  fold.at = Object.freeze({ state, revision, recordedAt, position });
  fold.commandIds.add(stored.metadata.commandId);
  fold.cause = stored.metadata.traceparent;
  return event;
}

/**
 * A stream folded to its end, which is read after the call; from `known`, or what is remembered,
 * only the rest is read.
 */
export async function foldCurrent<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
  name: string,
  known?: Fold<S>,
): Promise<Fold<S>> {
  const { cache } = stream;
  if (cache === undefined) return catchUp(stream, name, known ?? emptyFold(stream));
  return cache.shared(name, async () => {
    const fold = await catchUp(stream, name, cache.recall(name) ?? emptyFold(stream));
    cache.remember(name, fold);
    return fold;
  });
}

async function catchUp<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
  name: string,
  fold: Fold<S>,
): Promise<Fold<S>> {
  const { revision, recordedAt } = fold.at;
  // After an append of our own only the store knows when it was recorded: then that event is read.
  const from = recordedAt === null ? Math.max(revision, 0) : revision + 1;
  for await (const stored of eventsFrom(stream.store, name, from)) {
    // An append of our own may have moved the fold on while its events were being read.
    if (stored.revision > fold.at.revision) advance(stream, fold, stored);
    else if (stored.revision === fold.at.revision) {
      fold.at = Object.freeze({ ...fold.at, recordedAt: stored.recordedAt });
    }
  }
  return fold;
}
