import type { Message } from '@patchtrail/event-sourcing';
import { telemetryIsOn } from '@patchtrail/telemetry';
import {
  type EventMetadata,
  type ExpectedRevision,
  type NewEvent,
  type Position,
  WrongExpectedRevision,
} from './event-store.js';
import { advance, emptyFold, eventsFrom, foldCurrent, type Stream } from './fold-stream.js';
import { eventIdFrom } from './ids.js';
import { parseInstant } from './instant.js';
import { toJson } from './json.js';
import { observeCommand } from './observed-command.js';
import { backoffMs, pause } from './pause.js';
import type { Fold, Loaded } from './state-cache.js';

const TRIES_MAX = 5;
const DEADLINE_MS = 30_000;
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

export type HandleOptions = Readonly<{
  /** Where the stream must be; anywhere unless told. */
  expected?: ExpectedRevision;
  /** No further try after a conflict once this much time is over; 30,000 ms unless told. */
  deadlineMs?: number;
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

type Order<C> = Readonly<{
  name: string;
  command: C;
  context: CommandContext;
  expected: ExpectedRevision | undefined;
}> & {
  /** How often it was decided so far, the one under way included. */
  tries: number;
  /** The `traceparent` of the last event of the state that it is decided on. */
  cause: string | undefined;
};

/** What a command leads to on the state that it was judged on. */
type Verdict<S, E> =
  | Readonly<{ kind: 'repeated' }>
  | Readonly<{ kind: 'refused'; error: unknown }>
  | Readonly<{ kind: 'nothing' }>
  | Readonly<{ kind: 'append'; state: S; events: readonly E[]; append: readonly NewEvent[] }>;

/**
 * Decides a command on the state of its stream and appends what follows at the revision of that
 * state; after a conflict it reads what is new and decides anew, at most five times. A command whose
 * id the stream already holds appends nothing and returns its earlier outcome, whatever `expected`
 * says. A command that led to no event leaves no trace and is decided again.
 *
 * With a cache, commands to one stream take turns, and the first decision is made on remembered
 * state. The append at its revision is what makes that right; a decision without an append stands
 * only on state that was read after the command came.
 *
 * @throws DomainError of the decider; WrongExpectedRevision when the stream is not at `expected`,
 * or when other writers won each of the tries; TooBusy; TruncatedStream
 */
export async function handle<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
  name: string,
  command: C,
  context: CommandContext,
  options: HandleOptions = {},
): Promise<Handled<S, E>> {
  const { expected, deadlineMs = DEADLINE_MS } = options;
  const until = performance.now() + deadlineMs;
  const order = { name, command, context, expected, tries: 1, cause: undefined };
  if (!telemetryIsOn()) return settleInTurn(stream, order, until);
  return observeCommand(order, (observed) => settleInTurn(stream, observed, until));
}

/**
 * The state of a stream, now or as of an instant: then the fold stops before the first event that
 * was recorded after it, for the clock that stamps events may jump and revisions do not.
 * @throws TruncatedStream
 */
export async function load<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
  name: string,
  options: { asOf?: string } = {},
): Promise<Loaded<S>> {
  if (options.asOf === undefined) return (await foldCurrent(stream, name)).at;
  const until = parseInstant(options.asOf);
  if (until === null) throw new RangeError('asOf: must be an RFC 3339 instant');
  const fold = emptyFold(stream);
  for await (const stored of eventsFrom(stream.store, name, 0)) {
    if (Date.parse(stored.recordedAt) > until) break;
    advance(stream, fold, stored);
  }
  return fold.at;
}

function settleInTurn<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
  order: Order<C>,
  until: number,
): Promise<Handled<S, E>> {
  const { cache } = stream;
  const { name } = order;
  if (cache === undefined) return settle(stream, order, undefined, until);
  return cache.inTurn(name, () => settle(stream, order, cache.recall(name), until));
}

async function settle<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
  order: Order<C>,
  remembered: Fold<S> | undefined,
  until: number,
): Promise<Handled<S, E>> {
  let fold = remembered ?? (await foldCurrent(stream, order.name));
  for (let tries = 1; ; tries += 1) {
    order.tries = tries;
    order.cause = fold.cause;
    const isCurrent = tries > 1 || remembered === undefined;
    const outcome = await tryOn(stream, order, fold, isCurrent);
    if (outcome instanceof WrongExpectedRevision) {
      if (tries === TRIES_MAX || performance.now() >= until) throw outcome;
      // What was only remembered may just have been old; whoever loses on current state makes way.
      if (isCurrent) await pause(backoffMs(CONFLICT_BACKOFF, tries));
    } else if (outcome !== null) {
      return outcome;
    }
    fold = await foldCurrent(stream, order.name, fold);
  }
}

/** `null` where only current state can tell. */
async function tryOn<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
  order: Order<C>,
  fold: Fold<S>,
  isCurrent: boolean,
): Promise<Handled<S, E> | WrongExpectedRevision | null> {
  const verdict = judge(stream, order, fold);
  if (verdict.kind === 'repeated') return earlierOutcome(stream, order);
  if (verdict.kind === 'append') return tryAppend(stream, order, fold, verdict);
  if (!isCurrent) return null;
  if (verdict.kind === 'refused') throw verdict.error;
  const { state, revision, position } = fold.at;
  return { state, revision, position, events: [], repeated: false };
}

function judge<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
  order: Order<C>,
  { at, commandIds }: Fold<S>,
): Verdict<S, E> {
  const { name, context, expected } = order;
  if (commandIds.has(context.commandId)) return { kind: 'repeated' };
  const actual = expectedOf(at);
  if (expected !== undefined && expected !== actual) {
    return { kind: 'refused', error: new WrongExpectedRevision(name, expected, actual) };
  }
  try {
    return decide(stream, order, at);
  } catch (error) {
    return { kind: 'refused', error };
  }
}

function decide<S, C extends Message, E extends Message>(
  { decider, codec }: Stream<S, C, E>,
  { name, command, context }: Order<C>,
  at: Loaded<S>,
): Verdict<S, E> {
  const decided = decider.decide(command, at.state);
  if (decided.length === 0) return { kind: 'nothing' };
  const metadata = metadataOf(context, codec.schemaVersion);
  const whole = { commandId: context.commandId, stream: name, count: decided.length };
  const append: NewEvent[] = [];
  const events: E[] = [];
  let { state } = at;
  for (const [index, { type, data: decidedData }] of decided.entries()) {
    const data = toJson(decidedData, `events[${index}].data`);
    const id = eventIdFrom({ ...whole, index, type, data });
    const next: NewEvent = { id, type, data, metadata };
    // Read back and folded before it is stored: what cannot be must never get into the stream.
    const event = codec.decode({ ...next, stream: name, revision: at.revision + 1 + index });
    state = decider.evolve(state, event);
    append.push(next);
    events.push(event);
  }
  return { kind: 'append', state, events, append };
}

/** A conflict is an answer; after any other error nobody knows whether the events were stored. */
async function tryAppend<S, C extends Message, E extends Message>(
  { store, cache }: Stream<S, C, E>,
  { name, context }: Order<C>,
  fold: Fold<S>,
  { state, events, append }: Extract<Verdict<S, E>, { kind: 'append' }>,
): Promise<Handled<S, E> | WrongExpectedRevision> {
  const { at } = fold;
  try {
    const { revision, position } = await store.append(name, expectedOf(at), append);
    // Somebody who loads the stream may have read and folded these events by now.
    if (fold.at === at) {
      fold.at = Object.freeze({ state, revision, recordedAt: null, position });
      fold.commandIds.add(context.commandId);
      fold.cause = context.traceparent;
    }
    cache?.remember(name, fold);
    return { state, revision, position, events, repeated: false };
  } catch (error) {
    if (error instanceof WrongExpectedRevision) return error;
    cache?.forget(name);
    throw error;
  }
}

/** The events of a command are one append; its outcome is the state after the last of them. */
async function earlierOutcome<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
  { name, context }: Order<C>,
): Promise<Handled<S, E>> {
  const fold = emptyFold(stream);
  const events: E[] = [];
  for await (const stored of eventsFrom(stream.store, name, 0)) {
    const isOurs = stored.metadata.commandId === context.commandId;
    if (!isOurs && events.length > 0) break;
    const event = advance(stream, fold, stored);
    if (isOurs) events.push(event);
  }
  const { state, revision, position } = fold.at;
  return { state, revision, position, events, repeated: true };
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

function expectedOf({ revision }: { revision: number }): ExpectedRevision {
  return revision === -1 ? 'no-stream' : revision;
}
