import { Client } from 'pg';

const CONNECT_TIMEOUT_MS = 10_000;
const LOCK_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 600_000;

/** One archiving or restoring at a time, on a connection of its own. */
export async function asOwner<T>(url: string, work: (owner: Client) => Promise<T>): Promise<T> {
  const owner = new Client({
    connectionString: url,
    application_name: 'patchtrail event archive',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    lock_timeout: LOCK_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    options: '-c TimeZone=UTC -c DateStyle=ISO',
  });
  owner.on('error', () => undefined);
  try {
    await owner.connect();
    await owner.query("SELECT pg_advisory_lock(hashtextextended('event_store.archive', 0))");
    return await work(owner);
  } finally {
    await owner.end().catch(() => undefined);
  }
}

export async function inTransaction(owner: Client, work: () => Promise<void>): Promise<void> {
  await owner.query('BEGIN');
  try {
    await work();
    await owner.query('COMMIT');
  } catch (error) {
    await owner.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
