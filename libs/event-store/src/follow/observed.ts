import type { Database, Sql } from '@patchtrail/postgres';
import {
  durations,
  gauges,
  inSpan,
  type OpenSpan,
  openSpan,
  secondsSince,
  telemetryIsOn,
} from '@patchtrail/telemetry';
import { categoryOf } from '../category.js';
import type { EventStore, StoredEvent } from '../event-store.js';
import { reactionLag } from './reaction-lag.js';

const WAITING = 'patchtrail.subscription.lag.events';
const AGE = 'patchtrail.subscription.lag.age';
const PARKED = 'patchtrail.parked.keys';

const reactionTime = durations(
  'patchtrail.reaction.duration',
  'Of one event in a reaction, with every try and with those it was taken with.',
);
const projectionTime = durations(
  'patchtrail.projection.duration',
  'Of a batch of events in a projection, with its commit.',
);

type Subscription = Readonly<{
  store: EventStore;
  db: Database;
  name: string;
  prefixes: readonly string[];
}>;

/** How far a reader of the store is behind, by its checkpoint; until the function is called. */
export function observeLag(options: Subscription): () => void {
  const attributes = { 'patchtrail.subscription.name': options.name };
  return gauges(
    {
      [WAITING]: { unit: '{event}', description: 'Stored and not done, counted up to 500.' },
      [AGE]: { unit: 's', description: 'Since the oldest event that is not done was stored.' },
    },
    async () => {
      const { waiting, oldestAgeMs } = await reactionLag({ ...options, now: () => new Date() });
      return {
        [WAITING]: [{ value: waiting, attributes }],
        [AGE]: [{ value: oldestAgeMs / 1_000, attributes }],
      };
    },
  );
}

/** The same, and the streams that a reaction has parked. */
export function observeReaction(options: Subscription): () => void {
  const forgetLag = observeLag(options);
  const attributes = { 'patchtrail.parked.by': options.name };
  const forgetParked = gauges(
    { [PARKED]: { unit: '{key}', description: 'Keys that stand still until somebody acts.' } },
    async () => ({
      [PARKED]: [{ value: await parkedCount(options.db, options.name), attributes }],
    }),
  );
  return () => {
    forgetLag();
    forgetParked();
  };
}

async function parkedCount(db: Sql, reaction: string): Promise<number> {
  const [row] = await db.rows<{ count: number }>(
    'SELECT count(DISTINCT stream)::int AS count FROM parked_events WHERE reaction = $1',
    [reaction],
  );
  return row?.count ?? 0;
}

/**
 * What follows from an event as a span that links to the one the event was stored in. It belongs to
 * the span around it, if there is one, else it begins a trace.
 */
export async function inReaction<T>(
  name: string,
  event: StoredEvent,
  work: () => Promise<T>,
  resultOf: (outcome: T) => string,
): Promise<T> {
  if (!telemetryIsOn()) return work();
  const { span, end } = openReaction(name, event);
  let result = 'failed';
  try {
    const outcome = await (span === null ? work() : span.within(work));
    result = resultOf(outcome);
    return outcome;
  } finally {
    end(result);
  }
}

/** A span for each of the events; the work gets them with its `traceparent`, to go on from it. */
export async function inReactions(
  name: string,
  events: readonly StoredEvent[],
  work: (events: readonly StoredEvent[]) => Promise<void>,
): Promise<void> {
  if (!telemetryIsOn()) return work(events);
  const opened = events.map((event) => ({ event, ...openReaction(name, event) }));
  let result = 'failed';
  try {
    await work(opened.map(({ event, span }) => goingOnFrom(event, span)));
    result = 'acted';
  } finally {
    for (const { end } of opened) end(result);
  }
}

function goingOnFrom(event: StoredEvent, span: OpenSpan | null): StoredEvent {
  if (span === null) return event;
  return { ...event, metadata: { ...event.metadata, traceparent: span.traceparent } };
}

function openReaction(name: string, { stream, type, id, metadata }: StoredEvent) {
  const about = { 'patchtrail.subscription.name': name };
  const span = openSpan(`react ${name}`, {
    ...{ kind: 'consumer', links: [metadata.traceparent] },
    attributes: {
      ...about,
      'patchtrail.stream.category': categoryOf(stream),
      'patchtrail.stream.name': stream,
      'patchtrail.event.type': type,
      'patchtrail.event.id': id,
    },
  });
  const startedMs = performance.now();
  const end = (result: string) => {
    const told = { 'patchtrail.reaction.result': result };
    reactionTime.record(secondsSince(startedMs), { ...about, ...told });
    const failure = result === 'failed' || result === 'parked' ? result : null;
    span?.end({ failure, attributes: told });
  };
  return { span, end };
}

/** A batch of a projection as a span that links to those that its events were stored in. */
export async function inBatch<T>(
  name: string,
  events: readonly StoredEvent[],
  work: () => Promise<T>,
): Promise<T> {
  if (events.length === 0 || !telemetryIsOn()) return work();
  const about = { 'patchtrail.subscription.name': name };
  const startedMs = performance.now();
  const links = [...new Set(events.map(({ metadata }) => metadata.traceparent))];
  const attributes = { ...about, 'patchtrail.batch.events': events.length };
  try {
    return await inSpan(`project ${name}`, { kind: 'consumer', links, attributes }, work);
  } finally {
    projectionTime.record(secondsSince(startedMs), about);
  }
}
