import type { Decider, Message } from '@patchtrail/event-sourcing';
import type { Codec } from './codec.js';
import {
  type EventMetadata,
  type EventStore,
  type ExpectedRevision,
  type NewEvent,
  type Position,
  type StoredEvent,
  WrongExpectedRevision,
} from './event-store.js';
import { eventIdFrom } from './ids.js';
import { parseInstant } from './instant.js';
import { toJson } from './json.js';
import { backoffMs, pause } from './pause.js';

const PAGE_SIZE = 500;
const TRIES_MAX = 5;
const CONFLICT_BACKOFF = { firstMs: 10, maxMs: 160 };

/** Where a command comes from. `commandId` is a UUID that a repetition of the command brings again. */
export type CommandContext = Readonly<{
  commandId: string;
  correlationId: string;
  causationId: string;
  actor: string;
  /** RFC 3339 in UTC: when the command was given. */
  at: string;
  traceparent: string;
}>;

/** How one kind of stream is decided, stored and read back. */
export type Stream<S, C extends Message, E extends Message> = Readonly<{
  store: EventStore;
  decider: Decider<S, C, E>;
  codec: Codec<E>;
}>;

export type Loaded<S> = Readonly<{
  state: S;
  /** Of the last event folded; -1 where there is none. */
  revision: number;
  recordedAt: string | null;
  position: Position | null;
}>;

export type Handled<S, E> = Readonly<{
  state: S;
  /** -1 where the stream does not exist. */
  revision: number;
  events: readonly E[];
  /** The command had been handled before: the outcome of that time is returned. */
  repeated: boolean;
  /** Of the last event; `null` where there is none. A projection can be waited for by it. */
  position: Position | null;
}>;

type Earlier<S, E> = { outcome: Loaded<S>; events: readonly E[] };

/**
 * Decides a command on the current state of its stream and appends what follows at the revision
 * just read; after a conflict it reads and decides anew, at most five times. A command whose id the
 * stream already holds appends nothing and returns its earlier outcome, whatever `expected` says.
 * A command that led to no event leaves no trace and is decided again.
 *
 * @throws DomainError of the decider; WrongExpectedRevision when the stream is not at `expected`,
 * or when other writers won each of the tries
 */
export async function handle<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
  name: string,
  command: C,
  context: CommandContext,
  options: { expected?: ExpectedRevision } = {},
): Promise<Handled<S, E>> {
  for (let attempt = 1; ; attempt += 1) {
    const { current, earlier } = await readFor(stream, name, context.commandId);
    if (earlier !== null) {
      const { state, revision, position } = earlier.outcome;
      return { state, revision, position, events: earlier.events, repeated: true };
    }
    if (options.expected !== undefined && options.expected !== expectedOf(current)) {
      throw new WrongExpectedRevision(name, options.expected, expectedOf(current));
    }
    try {
      return await decideAndAppend(stream, name, command, context, current);
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision) || attempt === TRIES_MAX) throw error;
      await pause(backoffMs(CONFLICT_BACKOFF, attempt));
    }
  }
}

/**
 * The state of a stream, now or as of an instant: then the fold stops before the first event that
 * was recorded after it, for the clock that stamps events may jump and revisions do not.
 */
export async function load<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
  name: string,
  options: { asOf?: string } = {},
): Promise<Loaded<S>> {
  const until = options.asOf === undefined ? Infinity : parseInstant(options.asOf);
  if (until === null) throw new RangeError('asOf: must be an RFC 3339 instant');
  let at = emptyOf(stream);
  for await (const stored of eventsOf(stream.store, name)) {
    if (Date.parse(stored.recordedAt) > until) break;
    at = advance(stream, at, stored, stream.codec.decode(stored));
  }
  return at;
}

async function readFor<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
  name: string,
  commandId: string,
): Promise<{ current: Loaded<S>; earlier: Earlier<S, E> | null }> {
  let current = emptyOf(stream);
  const events: E[] = [];
  for await (const stored of eventsOf(stream.store, name)) {
    const isOurs = stored.metadata.commandId === commandId;
    // The events of a command are one append: the first foreign one after them ends its outcome.
    if (!isOurs && events.length > 0) break;
    const event = stream.codec.decode(stored);
    current = advance(stream, current, stored, event);
    if (isOurs) events.push(event);
  }
  return { current, earlier: events.length === 0 ? null : { outcome: current, events } };
}

async function decideAndAppend<S, C extends Message, E extends Message>(
  { store, decider, codec }: Stream<S, C, E>,
  name: string,
  command: C,
  context: CommandContext,
  current: Loaded<S>,
): Promise<Handled<S, E>> {
  const events = decider.decide(command, current.state);
  if (events.length === 0) {
    const { state, revision, position } = current;
    return { state, revision, position, events, repeated: false };
  }
  // Folded before it is stored: what cannot be applied must never get into the stream.
  const state = events.reduce((folded, event) => decider.evolve(folded, event), current.state);
  const metadata = metadataOf(context, codec.schemaVersion);
  const appended = await store.append(
    name,
    expectedOf(current),
    events.map(({ type, data }, index): NewEvent => ({
      id: eventIdFrom(context.commandId, name, index),
      type,
      data: toJson(data, `events[${index}].data`),
      metadata,
    })),
  );
  return { state, events, repeated: false, ...appended };
}

function metadataOf(context: CommandContext, schemaVersion: number): EventMetadata {
  return {
    schemaVersion,
    commandId: context.commandId,
    $correlationId: context.correlationId,
    $causationId: context.causationId,
    actor: context.actor,
    occurredAt: context.at,
    traceparent: context.traceparent,
  };
}

function emptyOf<S, C extends Message, E extends Message>(stream: Stream<S, C, E>): Loaded<S> {
  return { state: stream.decider.initial, revision: -1, recordedAt: null, position: null };
}

function advance<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
  at: Loaded<S>,
  { revision, recordedAt, position }: StoredEvent,
  event: E,
): Loaded<S> {
  return { state: stream.decider.evolve(at.state, event), revision, recordedAt, position };
}

function expectedOf({ revision }: { revision: number }): ExpectedRevision {
  return revision === -1 ? 'no-stream' : revision;
}

async function* eventsOf(store: EventStore, name: string): AsyncGenerator<StoredEvent> {
  for (let from = 0; ; from += PAGE_SIZE) {
    const page = await store.read(name, { from, maxCount: PAGE_SIZE });
    yield* page;
    if (page.length < PAGE_SIZE) return;
  }
}
