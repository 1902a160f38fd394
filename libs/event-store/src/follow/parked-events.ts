import { DomainError } from '@patchtrail/event-sourcing';
import { type Database, failureColumns, type Sql } from '@patchtrail/postgres';
import type { EventStore, StoredEvent } from '../event-store.js';
import { inReaction } from './observed.js';

const REPLAY_MAX = 1_000;

/** `code` and `cause` are `null` for an event that waits behind the one that failed. */
export type ParkedEvent = Readonly<{
  /** In the order of parking. */
  number: string;
  reaction: string;
  stream: string;
  revision: number;
  type: string;
  code: string | null;
  cause: string | null;
  tries: number;
  parkedAt: Date;
  triedAt: Date | null;
}>;

/** Streams of a reaction with parked events. */
export async function parkedStreams(db: Database, reaction: string): Promise<Set<string>> {
  const rows = await db.rows<{ stream: string }>(
    'SELECT DISTINCT stream FROM parked_events WHERE reaction = $1',
    [reaction],
  );
  return new Set(rows.map(({ stream }) => stream));
}

/** Waits for a replay of the stream that is about to end, and then sees its result. */
export async function isStreamParked(tx: Sql, reaction: string, stream: string): Promise<boolean> {
  const rows = await tx.rows(
    `SELECT 1 FROM parked_events WHERE reaction = $1 AND stream = $2
     ORDER BY revision DESC LIMIT 1 FOR UPDATE`,
    [reaction, stream],
  );
  return rows.length > 0;
}

/** Without an error it waits behind what has been parked of its stream. */
export async function park(
  tx: Sql,
  reaction: string,
  { stream, revision, type }: StoredEvent,
  error: Error | null,
  tries = 0,
): Promise<void> {
  const { code, cause } = error === null ? NOTHING_WRONG : failureColumns(error);
  await tx.run(
    `INSERT INTO parked_events (reaction, stream, revision, type, code, cause, tries, tried_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $7 > 0 THEN clock_timestamp() END)
     ON CONFLICT DO NOTHING`,
    [reaction, stream, revision, type, code, cause, tries],
  );
}

const NOTHING_WRONG = { code: null, cause: null };

export async function recordRefusal(
  tx: Sql,
  reaction: string,
  { stream, revision, type }: StoredEvent,
  { code, detail }: DomainError,
): Promise<void> {
  const text = detail === undefined ? null : failureColumns(detail).cause;
  await tx.run(
    `INSERT INTO refused_events (reaction, stream, revision, type, code, detail)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
    [reaction, stream, revision, type, code, text],
  );
}

/** The number is text here: what is ordered by it must name the table's. */
const COLUMNS = `number::text, reaction, stream, revision, type, code, cause, tries,
  parked_at AS "parkedAt", tried_at AS "triedAt"`;

/** Parked events of all reactions in this database, in the order of parking. */
export async function parkedEvents(
  db: Sql,
  { after = '0', limit = 500 }: Readonly<{ after?: string; limit?: number }> = {},
): Promise<readonly ParkedEvent[]> {
  return db.rows<ParkedEvent>(
    `SELECT ${COLUMNS} FROM parked_events WHERE number > $1 ORDER BY parked_events.number LIMIT $2`,
    [after, limit],
  );
}

export async function parkedEvent(db: Sql, number: string): Promise<ParkedEvent | null> {
  const [found] = await db.rows<ParkedEvent>(
    `SELECT ${COLUMNS} FROM parked_events WHERE number = $1`,
    [number],
  );
  return found ?? null;
}

export async function parkedEventCount(db: Sql): Promise<number> {
  const [row] = await db.rows<{ count: number }>(
    'SELECT count(*)::int AS count FROM parked_events',
  );
  return row?.count ?? 0;
}

export type EventReplay = Readonly<{
  store: EventStore;
  db: Database;
  /** Of the reaction. */
  name: string;
  stream: string;
  react: (event: StoredEvent) => Promise<void>;
}>;

/**
 * Reacts to the parked events of a stream in their order and takes each out after it, at most 1,000
 * of them; the reaction may run meanwhile. Rejects with the error of the first event that fails
 * again; it and those behind it stay parked.
 * @returns how many were replayed
 */
export async function replayParkedEvents(options: EventReplay): Promise<number> {
  for (let replayed = 0; replayed < REPLAY_MAX; replayed += 1) {
    if (!(await replayFirst(options))) return replayed;
  }
  return REPLAY_MAX;
}

/** False when nothing of the stream is parked any more. */
async function replayFirst({ store, db, name, stream, react }: EventReplay): Promise<boolean> {
  const inHand: { number?: string } = {};
  try {
    return await db.transaction(async (tx) => {
      const [next] = await tx.rows<{ number: string; revision: number }>(
        `SELECT number::text, revision FROM parked_events WHERE reaction = $1 AND stream = $2
         ORDER BY revision LIMIT 1 FOR UPDATE`,
        [name, stream],
      );
      if (next === undefined) return false;
      inHand.number = next.number;
      const [event] = await store.read(stream, { from: next.revision, maxCount: 1 });
      if (event === undefined) throw new Error(`${stream}@${next.revision} is not in the store.`);
      const reacting = () => reactedOrRefused(tx, name, event, react);
      await inReaction(name, event, reacting, (result) => result);
      await tx.run('DELETE FROM parked_events WHERE number = $1', [next.number]);
      return true;
    });
  } catch (error) {
    if (inHand.number !== undefined) await noteFailure(db, inHand.number, error);
    throw error;
  }
}

async function noteFailure(db: Sql, number: string, error: unknown): Promise<void> {
  const { code, cause } = failureColumns(error);
  await db.run(
    `UPDATE parked_events SET code = $2, cause = $3, tries = tries + 1, tried_at = clock_timestamp()
      WHERE number = $1`,
    [number, code, cause],
  );
}

async function reactedOrRefused(
  tx: Sql,
  reaction: string,
  event: StoredEvent,
  react: (event: StoredEvent) => Promise<void>,
): Promise<'acted' | 'refused'> {
  try {
    await react(event);
    return 'acted';
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    await recordRefusal(tx, reaction, event, error);
    return 'refused';
  }
}
