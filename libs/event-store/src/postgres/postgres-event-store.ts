import { Pool } from 'pg';
import { checkAppend, checkRead, checkReadAll } from '../check-append.js';
import {
  type AllPage,
  type AppendResult,
  type EventStore,
  type ExpectedRevision,
  type NewEvent,
  type Position,
  type ReadAllOptions,
  type ReadOptions,
  type StoredEvent,
  WrongExpectedRevision,
} from '../event-store.js';
import { compareNumbered, numberOf, positionFrom } from '../position.js';
import { EVENT_COLUMNS, type EventRow, storedEventOf } from './event-row.js';
import { subscribe } from './subscription.js';
import { createWakeUps } from './wake-ups.js';

const APPLICATION_NAME = 'patchtrail event store';
const POOL_MAX_DEFAULT = 10;
const CONNECT_TIMEOUT_MS = 10_000;
const LOCK_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000;
/** Longer than the server's own limit, for a server that no longer answers at all. */
const ANSWER_TIMEOUT_MS = 15_000;

const POSITION_MAX = 2n ** 63n - 1n;

type Appended = { stored: boolean; revision: number; position: string | null };

/**
 * An event store in a PostgreSQL database that has the event store's migrations and grants. Close
 * it after the subscriptions have ended. Errors of the server are passed on as they are; after one
 * the outcome of an append is unknown, and the same append may be repeated.
 */
export async function openPostgresEventStore(options: {
  url: string;
  poolMax?: number;
}): Promise<EventStore & { close(): Promise<void> }> {
  const pool = poolFor(options.url, options.poolMax ?? POOL_MAX_DEFAULT);
  const wakeUps = createWakeUps(options.url, `${APPLICATION_NAME} listener`);
  const close = async () => {
    await wakeUps.close();
    await pool.end();
  };
  try {
    await head(pool);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    append: (stream, expected, events) => append(pool, stream, expected, events),
    read: (stream, readOptions = {}) => read(pool, stream, readOptions),
    readAll: (readOptions = {}) => readAll(pool, readOptions),
    identity: () => identity(pool),
    head: () => head(pool),
    subscribe: (subscribeOptions) => subscribe(pool, wakeUps, subscribeOptions),
    comparePositions: compareNumbered,
    close,
  };
}

function poolFor(url: string, max: number): Pool {
  const pool = new Pool({
    connectionString: url,
    application_name: APPLICATION_NAME,
    max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    lock_timeout: LOCK_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
  });
  // The pool drops an idle connection that broke; whoever needs one next gets a new one.
  pool.on('error', () => undefined);
  return pool;
}

async function append(
  pool: Pool,
  stream: string,
  expected: ExpectedRevision,
  events: readonly NewEvent[],
): Promise<AppendResult> {
  const copies = checkAppend(stream, expected, events);
  const { rows } = await pool.query<Appended>(
    'SELECT stored, revision, position FROM event_store.append($1, $2, $3, $4, $5, $6)',
    [
      stream,
      expected === 'no-stream' ? -1 : expected,
      copies.map(({ id }) => id),
      copies.map(({ type }) => type),
      copies.map(({ data }) => JSON.stringify(data)),
      copies.map(({ metadata }) => JSON.stringify(metadata)),
    ],
  );
  const [result] = rows;
  if (result === undefined) throw new Error('event_store.append returned no row.');
  const { stored, revision, position } = result;
  if (!stored || position === null) {
    throw new WrongExpectedRevision(stream, expected, revision === -1 ? 'no-stream' : revision);
  }
  return { revision, position: positionFrom(BigInt(position)) };
}

async function read(
  pool: Pool,
  stream: string,
  options: ReadOptions,
): Promise<readonly StoredEvent[]> {
  const { from, direction, maxCount } = checkRead(stream, options);
  const [comparison, order] = direction === 'forwards' ? ['>=', 'ASC'] : ['<=', 'DESC'];
  const { rows } = await pool.query<EventRow>(
    `SELECT ${EVENT_COLUMNS} FROM event_store.events
     WHERE stream = $1 AND revision ${comparison} $2 ORDER BY revision ${order} LIMIT $3`,
    [stream, from, maxCount],
  );
  return rows.map(storedEventOf);
}

async function readAll(pool: Pool, options: ReadAllOptions): Promise<AllPage> {
  const { from, direction, prefixes, maxCount } = checkReadAll(options);
  const [comparison, order] = direction === 'forwards' ? ['>', 'ASC'] : ['<', 'DESC'];
  const start = from === null && direction === 'backwards' ? POSITION_MAX : numberOf(from);
  const { rows } = await pool.query<EventRow>(
    `SELECT ${EVENT_COLUMNS} FROM event_store.events
     WHERE position ${comparison} $1 AND ($2::text[] = '{}' OR stream ^@ ANY ($2))
     ORDER BY position ${order} LIMIT $3`,
    [start.toString(), prefixes, maxCount],
  );
  const events = rows.map(storedEventOf);
  const isLast = events.length < maxCount;
  return { events, next: isLast ? null : (events.at(-1)?.position ?? null) };
}

async function identity(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ id: string }>('SELECT id FROM event_store.identity');
  const [row] = rows;
  if (row === undefined) throw new Error('The event store has no identity.');
  return `postgres:${row.id}`;
}

async function head(pool: Pool): Promise<Position | null> {
  const { rows } = await pool.query<{ head: string | null }>(
    'SELECT max(position) AS head FROM event_store.events',
  );
  const newest = rows[0]?.head ?? null;
  return newest === null ? null : positionFrom(BigInt(newest));
}
