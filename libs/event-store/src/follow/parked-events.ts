import { DomainError } from '@patchtrail/event-sourcing';
import type { Database, Sql } from '@patchtrail/postgres';
import type { EventStore, StoredEvent } from '../event-store.js';

const CAUSE_LENGTH_MAX = 2_000;
const LISTED_MAX = 500;

export type ParkedEvent = Readonly<{
  reaction: string;
  stream: string;
  revision: number;
  type: string;
  cause: string;
  parkedAt: Date;
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

export async function park(
  tx: Sql,
  reaction: string,
  { stream, revision, type }: StoredEvent,
  cause: string,
): Promise<void> {
  await tx.run(
    `INSERT INTO parked_events (reaction, stream, revision, type, cause)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
    [reaction, stream, revision, type, cause.slice(0, CAUSE_LENGTH_MAX)],
  );
}

export async function recordRefusal(
  tx: Sql,
  reaction: string,
  { stream, revision, type }: StoredEvent,
  { code, detail }: DomainError,
): Promise<void> {
  await tx.run(
    `INSERT INTO refused_events (reaction, stream, revision, type, code, detail)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
    [reaction, stream, revision, type, code, detail?.slice(0, CAUSE_LENGTH_MAX) ?? null],
  );
}

/** The oldest parked events of all reactions in this database, at most 500. */
export async function parkedEvents(db: Database): Promise<readonly ParkedEvent[]> {
  return db.rows<ParkedEvent>(
    `SELECT reaction, stream, revision, type, cause, parked_at AS "parkedAt" FROM parked_events
     ORDER BY parked_at, reaction, stream, revision LIMIT $1`,
    [LISTED_MAX],
  );
}

/**
 * Reacts to the parked events of a stream in their order and takes each out after it; the reaction
 * may run meanwhile. Rejects with the error of the first event that fails again; it and those
 * behind it stay parked.
 * @returns how many were replayed
 */
export async function replayParkedEvents(options: {
  store: EventStore;
  db: Database;
  name: string;
  stream: string;
  react: (event: StoredEvent) => Promise<void>;
}): Promise<number> {
  const { store, db, name, stream, react } = options;
  for (let replayed = 0; ; replayed += 1) {
    const isDone = await db.transaction(async (tx) => {
      const [next] = await tx.rows<{ revision: number }>(
        `SELECT revision FROM parked_events WHERE reaction = $1 AND stream = $2
         ORDER BY revision LIMIT 1 FOR UPDATE`,
        [name, stream],
      );
      if (next === undefined) return true;
      const [event] = await store.read(stream, { from: next.revision, maxCount: 1 });
      if (event === undefined) throw new Error(`${stream}@${next.revision} is not in the store.`);
      await reactedOrRefused(tx, name, event, react);
      await tx.run(
        'DELETE FROM parked_events WHERE reaction = $1 AND stream = $2 AND revision = $3',
        [name, stream, next.revision],
      );
      return false;
    });
    if (isDone) return replayed;
  }
}

async function reactedOrRefused(
  tx: Sql,
  reaction: string,
  event: StoredEvent,
  react: (event: StoredEvent) => Promise<void>,
): Promise<void> {
  try {
    await react(event);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    await recordRefusal(tx, reaction, event, error);
  }
}
