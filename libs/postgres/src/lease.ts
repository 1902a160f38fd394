import { Client } from 'pg';
import { asSqlError } from './sql.js';

/** `lost` aborts when the connection that holds the lease is gone without `release`. */
export type Lease = { release(): Promise<void>; readonly lost: AbortSignal };

const CONNECT_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 5_000;

async function acquired(client: Client, name: string): Promise<boolean> {
  try {
    await client.connect();
    const { rows } = await client.query<{ held: boolean }>(
      'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS held',
      [`lease ${name}`],
    );
    return rows[0]?.held === true;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw asSqlError(error);
  }
}

/**
 * At most one holder per name and database, over all processes: a session advisory lock on a
 * connection of its own. Null when another holds it.
 */
export async function tryLease(url: string, name: string): Promise<Lease | null> {
  const client = new Client({
    connectionString: url,
    application_name: `lease ${name}`.slice(0, 63),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
  });
  // A failure before the lease is held is thrown by `acquired`; this keeps it from ending the process.
  client.on('error', () => undefined);
  if (await acquired(client, name)) return held(client, name);
  await client.end();
  return null;
}

function held(client: Client, name: string): Lease {
  const lost = new AbortController();
  let over = false;
  const end = (): boolean => {
    clearInterval(heartbeat);
    return !over && (over = true);
  };
  const lose = (): void => {
    if (end()) lost.abort(new Error(`The lease ${name} was lost with its connection.`));
  };
  client.on('error', lose);
  client.on('end', lose);
  // A peer that vanished sends nothing: only an answer shows that the session still exists.
  const heartbeat = setInterval(() => {
    client.query('SELECT 1').catch(() => {
      lose();
      client.end().catch(() => undefined);
    });
  }, HEARTBEAT_MS).unref();
  return {
    lost: lost.signal,
    release: async () => {
      if (end()) await client.end().catch(() => undefined);
    },
  };
}
