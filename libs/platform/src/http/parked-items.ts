import {
  type EventStore,
  type ParkedEvent,
  parkedEvent,
  parkedEvents,
  replayParkedEvents,
  type StoredEvent,
} from '@patchtrail/event-store';
import {
  type Apply,
  type ParkedMessage,
  parkedInOutbox,
  parkedMessage,
  parkedMessages,
  parkedOutbox,
  replayParked,
  replayParkedOutbox,
} from '@patchtrail/messaging';
import type { Database } from '@patchtrail/postgres';
import type { ReplayOutcome } from './parked-replays.js';

/** Where a service's work can stand still, and what it takes to do it again. */
export type ParkedSources = Readonly<{
  db: Database;
  /** What the service does with messages, by consumer group. */
  consumers: Readonly<Record<string, Apply>>;
  /** Only for a service that follows streams. */
  streams?: Readonly<{
    store: EventStore;
    /** What it does with events, by the name of the reaction. */
    reactions: Readonly<Record<string, (event: StoredEvent) => Promise<void>>>;
  }>;
}>;

/** `message`: from the bus; `outbox`: to the bus; `event`: from a stream. In this order in a list. */
export const PARKED_KINDS = ['event', 'message', 'outbox'] as const;
export type ParkedKind = (typeof PARKED_KINDS)[number];

export type ParkedItem = Readonly<{
  /** `<kind>-<number>` */
  id: string;
  kind: ParkedKind;
  /** The consumer group or reaction that could not go on; `relay` for the outbox. */
  owner: string;
  /** What stands still together and is replayed together: a partition key, or a stream. */
  key: string;
  topic: string | null;
  partition: number | null;
  /** In its partition. */
  offset: string | null;
  /** In its stream. */
  revision: number | null;
  messageId: string | null;
  type: string;
  /** `null`, with the cause, where it only waits behind another one of its key. */
  code: string | null;
  cause: string | null;
  tries: number;
  parkedAt: Date;
  triedAt: Date | null;
}>;

export type ParkedPlace = Readonly<{ kind: ParkedKind; number: string }>;

const PLACE = /^(event|message|outbox)-([1-9]\d{0,17})$/;

/** `null` for what is no id of a parked item. */
export function placeOf(id: string): ParkedPlace | null {
  const [, name, number] = PLACE.exec(id) ?? [];
  const kind = PARKED_KINDS.find((each) => each === name);
  return kind === undefined || number === undefined ? null : { kind, number };
}

/** Up to `limit` items after a place. */
export async function listParked(
  sources: ParkedSources,
  after: ParkedPlace | null,
  limit: number,
): Promise<readonly ParkedItem[]> {
  const items: ParkedItem[] = [];
  const from = after === null ? 0 : PARKED_KINDS.indexOf(after.kind);
  for (const kind of PARKED_KINDS.slice(from)) {
    const window = {
      after: after?.kind === kind ? after.number : '0',
      limit: limit - items.length,
    };
    if (window.limit > 0) items.push(...(await listKind(sources, kind, window)));
  }
  return items;
}

async function listKind(
  { db, streams }: ParkedSources,
  kind: ParkedKind,
  window: Readonly<{ after: string; limit: number }>,
): Promise<readonly ParkedItem[]> {
  switch (kind) {
    case 'event':
      return streams === undefined ? [] : (await parkedEvents(db, window)).map(eventItem);
    case 'message':
      return (await parkedMessages(db, window)).map((row) => messageItem('message', row));
    case 'outbox':
      return (await parkedOutbox(db, window)).map((row) => messageItem('outbox', row));
  }
}

/** One item with what it holds; `null` when it is not parked. */
export async function findParked(
  { db, streams }: ParkedSources,
  { kind, number }: ParkedPlace,
): Promise<(ParkedItem & Readonly<{ payload: unknown }>) | null> {
  if (kind === 'event') {
    const row = streams === undefined ? null : await parkedEvent(db, number);
    if (streams === undefined || row === null) return null;
    const [event] = await streams.store.read(row.stream, { from: row.revision, maxCount: 1 });
    return { ...eventItem(row), payload: event ?? null };
  }
  const row = await (kind === 'message' ? parkedMessage(db, number) : parkedInOutbox(db, number));
  return row === null ? null : { ...messageItem(kind, row), payload: row.message };
}

function messageItem(kind: 'message' | 'outbox', row: ParkedMessage): ParkedItem {
  const { number, group, topic, key, partition, offset, messageId, type } = row;
  const { code, cause, tries, parkedAt, triedAt } = row;
  const where = { topic, partition, offset, revision: null, messageId };
  const failure = { code, cause, tries, parkedAt, triedAt };
  return {
    id: `${kind}-${number}`,
    kind,
    owner: group ?? 'relay',
    key,
    ...where,
    type,
    ...failure,
  };
}

function eventItem({
  number,
  reaction,
  stream,
  revision,
  type,
  ...failure
}: ParkedEvent): ParkedItem {
  const where = { topic: null, partition: null, offset: null, revision, messageId: null };
  const named = { id: `event-${number}`, kind: 'event' as const, owner: reaction, key: stream };
  return { ...named, ...where, type, ...failure };
}

/** What was parked by something that this version of the service no longer has. */
class NoSuchOwner extends Error {
  constructor(owner: string) {
    super(`This version of the service has nothing named ${owner}.`);
    this.name = 'NoSuchOwner';
  }
}

/**
 * Replays everything that is parked with the item's key, in its order, through what could not go on.
 * Rejects with the cause of the first that fails again; it and what is behind it stay parked.
 */
export async function replayItem(
  { db, consumers, streams }: ParkedSources,
  { kind, owner, key }: Pick<ParkedItem, 'kind' | 'owner' | 'key'>,
): Promise<ReplayOutcome> {
  switch (kind) {
    case 'outbox':
      return replayParkedOutbox(db, key);
    case 'message': {
      const apply = consumers[owner];
      if (apply === undefined) throw new NoSuchOwner(owner);
      return { replayed: await replayParked({ db, group: owner, key, apply }), waiting: 0 };
    }
    case 'event': {
      const react = streams?.reactions[owner];
      if (streams === undefined || react === undefined) throw new NoSuchOwner(owner);
      const { store } = streams;
      const replayed = await replayParkedEvents({ store, db, name: owner, stream: key, react });
      return { replayed, waiting: 0 };
    }
  }
}
