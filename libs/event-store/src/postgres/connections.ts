import { DatabaseError, Pool, type QueryConfig, type QueryResultRow } from 'pg';
import { EventStoreUnavailable } from '../event-store.js';

const CONNECT_TIMEOUT_MS = 10_000;
const LOCK_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000;
/** Longer than the server's own limit, for a server that no longer answers at all. */
const ANSWER_TIMEOUT_MS = 15_000;

/** Connection exception, insufficient resources, operator intervention, lock not available. */
const PASSING_ERROR_CLASSES = ['08', '53', '55', '57'];

/**
 * The statements take few rows of big tables, by their keys and the same way each time; without
 * statistics the planner would rather scan a table that was small when it looked.
 */
const PLANNING = [
  'plan_cache_mode=force_generic_plan',
  'enable_seqscan=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
  'jit=off',
];

/** Instants are passed on as the server writes them. */
const OUTPUT = ['TimeZone=UTC', 'DateStyle=ISO'];

export function poolFor(url: string, applicationName: string, max: number): Pool {
  const pool = new Pool({
    connectionString: url,
    application_name: applicationName,
    max,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    lock_timeout: LOCK_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    options: [...PLANNING, ...OUTPUT].map((setting) => `-c ${setting}`).join(' '),
  });
  // The pool drops an idle connection that broke; whoever needs one next gets a new one.
  pool.on('error', () => undefined);
  return pool;
}

/** The server could not be reached, or not now: what was asked for is not at fault. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return true;
  return PASSING_ERROR_CLASSES.some((c) => error.code?.startsWith(c) === true);
}

/** @throws EventStoreUnavailable */
export async function rowsOf<R extends QueryResultRow>(
  pool: Pool,
  query: QueryConfig,
): Promise<R[]> {
  try {
    const { rows } = await pool.query<R>(query);
    return rows;
  } catch (error) {
    throw refusalOf(error);
  }
}

/** `EventStoreUnavailable` for what may pass, anything else as it is. */
export function refusalOf(error: unknown): unknown {
  if (!isPassing(error)) return error;
  const reason = error instanceof Error && error.message !== '' ? error.message : String(error);
  return new EventStoreUnavailable(`The event store gave no answer: ${reason}`, { cause: error });
}

export function isLockTimeout(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === '55P03';
}

/** It was open and broke, or the server ended it; also while it lay idle. */
export function isConnectionLost(error: unknown): boolean {
  if (error instanceof DatabaseError) return error.code?.startsWith('57P') === true;
  if (!(error instanceof Error)) return false;
  return /^Connection terminated|ECONNRESET|EPIPE/.test(error.message);
}
