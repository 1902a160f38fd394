import {
  type Database,
  deleteOlder,
  type Migration,
  type Sql,
  SqlError,
} from '@patchtrail/postgres';
import { type Problem, problem } from './problem.js';
import type { Idempotency } from './request-parts.js';

export const idempotencyMigration: Migration = {
  name: 'platform-001-idempotency-keys',
  sql: `
    CREATE TABLE idempotency_keys (
      scope text NOT NULL,
      key text NOT NULL,
      payload_digest text NOT NULL,
      result json,
      created_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (scope, key)
    );
    CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
  `,
};

const IN_FLIGHT_WAIT = '2s';
const LOCK_NOT_AVAILABLE = '55P03';
const KEPT_MS = 24 * 3_600_000;

type KeyRow = { payload_digest: string };

/**
 * Runs the work once for a key: its effect and its result are kept in one transaction, and a
 * repetition gets the result that is kept. Without a key it is an ordinary transaction.
 * The result must be JSON and holds no secret, for it is stored.
 * @throws Problem 422 `idempotency-key-reused`, 409 `request-in-flight`
 */
export async function once<T>(
  db: Database,
  idempotency: Idempotency | null,
  work: (tx: Sql) => Promise<T>,
): Promise<T> {
  if (idempotency === null) return db.transaction(work);
  return db.transaction(async (tx) => {
    if (!(await taken(tx, idempotency))) return storedResult<T>(tx, idempotency);
    const result = await work(tx);
    const { scope, key } = idempotency;
    await tx.run('UPDATE idempotency_keys SET result = $3::json WHERE scope = $1 AND key = $2', [
      scope,
      key,
      asJson(result),
    ]);
    return result;
  });
}

/** What returns nothing is kept as `null`. */
function asJson(result: unknown): string {
  return result === undefined ? 'null' : JSON.stringify(result);
}

/** The insert waits for a transaction that holds the same key, but not for long. */
async function taken(tx: Sql, { scope, key, payloadDigest }: Idempotency): Promise<boolean> {
  const { before } = only(
    await tx.rows<{ before: string }>("SELECT current_setting('lock_timeout') AS before"),
  );
  const setTimeout = "SELECT set_config('lock_timeout', $1, true)";
  await tx.rows(setTimeout, [IN_FLIGHT_WAIT]);
  try {
    const inserted = await tx.run(
      `INSERT INTO idempotency_keys (scope, key, payload_digest) VALUES ($1, $2, $3)
       ON CONFLICT DO NOTHING`,
      [scope, key, payloadDigest],
    );
    await tx.rows(setTimeout, [before]);
    return inserted === 1;
  } catch (error) {
    if (error instanceof SqlError && error.code === LOCK_NOT_AVAILABLE) throw inFlight();
    throw error;
  }
}

async function storedResult<T>(tx: Sql, { scope, key, payloadDigest }: Idempotency): Promise<T> {
  const [row] = await tx.rows<KeyRow & { result: T }>(
    'SELECT payload_digest, result FROM idempotency_keys WHERE scope = $1 AND key = $2',
    [scope, key],
  );
  // Purged between the two statements: old enough to be asked again as a new request.
  if (row === undefined) throw inFlight();
  refuseReuse(row, payloadDigest);
  return row.result;
}

/**
 * Binds a key to its payload and keeps no result: for services whose record of the command is the
 * stream it appended to.
 * @throws Problem 422 `idempotency-key-reused`
 */
export async function claim(db: Sql, idempotency: Idempotency | null): Promise<void> {
  if (idempotency === null) return;
  const { scope, key, payloadDigest } = idempotency;
  // The update changes nothing; it makes the row of an earlier claim come back.
  const rows = await db.rows<KeyRow>(
    `INSERT INTO idempotency_keys (scope, key, payload_digest) VALUES ($1, $2, $3)
     ON CONFLICT (scope, key) DO UPDATE SET key = excluded.key
     RETURNING payload_digest`,
    [scope, key, payloadDigest],
  );
  refuseReuse(only(rows), payloadDigest);
}

/** Forgets up to 1,000 keys older than 24 hours; how many it forgot. */
export async function purgeIdempotencyKeys(db: Sql, now: Date): Promise<number> {
  const before = new Date(now.getTime() - KEPT_MS);
  return deleteOlder(db, { table: 'idempotency_keys', column: 'created_at' }, before);
}

function refuseReuse(row: KeyRow, payloadDigest: string): void {
  if (row.payload_digest === payloadDigest) return;
  throw problem(
    'idempotency-key-reused',
    'The Idempotency-Key has been used for another request; use a new one.',
  );
}

function inFlight(): Problem {
  return problem('request-in-flight', 'A request with this Idempotency-Key is being processed.');
}

function only<T>([row]: readonly T[]): T {
  if (row === undefined) throw new Error('The statement returned no row.');
  return row;
}
