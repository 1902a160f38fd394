import { Client } from 'pg';
import { asSqlError, type Sql } from './sql.js';

/** `lost` aborts when the connection that holds the lease is gone without `release`. */
export type Lease = { release(): Promise<void>; readonly lost: AbortSignal };

const CONNECT_TIMEOUT_MS = 10_000;
const HEARTBEAT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 5_000;
const SILENCE_MS = 20_000;

/** SQL of the table behind `tryFencedLease`, for the migrations of whoever uses it; it may run twice. */
export const LEASE_EPOCHS_TABLE = `
CREATE TABLE IF NOT EXISTS lease_epochs (
  name text PRIMARY KEY,
  epoch bigint NOT NULL,
  taken_at timestamptz NOT NULL DEFAULT clock_timestamp()
);`;

/** Somebody else holds the lease now: what this holder was about to write must not be written. */
export class LeaseSuperseded extends Error {
  constructor(name: string, epoch: string, current: string) {
    super(`The lease ${name} of epoch ${epoch} was taken over: epoch ${current} holds it.`);
    this.name = 'LeaseSuperseded';
  }
}

export type FencedLease = Lease & {
  /** Raised by every take-over. */
  readonly epoch: bigint;
  /**
   * Fences a transaction on the lease's own database: nobody takes over until it ends.
   * @throws LeaseSuperseded when somebody has
   */
  hold(tx: Sql): Promise<void>;
};

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
 * connection of its own. Null when another holds it. The server ends the session of a holder that
 * is silent for `silenceMs`, one that stands still or has vanished; with `null` it never does, for
 * who runs the server or is alone on it may be suspended together with it.
 */
export async function tryLease(
  url: string,
  name: string,
  silenceMs: number | null = SILENCE_MS,
): Promise<Lease | null> {
  const client = clientFor(url, name);
  if (!(await acquired(client, name))) {
    await client.end();
    return null;
  }
  if (silenceMs === null) return held(client, name, HEARTBEAT_MS);
  return orEnd(client, async () => {
    await endAfter(client, silenceMs);
    return held(client, name, beatMs(silenceMs));
  });
}

async function endAfter(client: Client, silenceMs: number): Promise<void> {
  await client.query(`SET idle_session_timeout = ${String(silenceMs)}`);
}

function beatMs(silenceMs: number): number {
  return Math.min(HEARTBEAT_MS, silenceMs / 4);
}

async function orEnd<T>(client: Client, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await client.end().catch(() => undefined);
    throw asSqlError(error);
  }
}

/**
 * A lease whose holder may find out too late that it is none any more: once somebody else has taken
 * over, nothing that the old holder fences with `hold` is written.
 */
export async function tryFencedLease(
  url: string,
  name: string,
  silenceMs = SILENCE_MS,
): Promise<FencedLease | null> {
  const client = clientFor(url, name);
  if (!(await acquired(client, name))) {
    await client.end();
    return null;
  }
  return orEnd(client, async () => {
    await endAfter(client, silenceMs);
    const epoch = await raisedEpoch(client, name);
    const lease = held(client, name, beatMs(silenceMs));
    return { ...lease, epoch, hold: (tx) => holdEpoch(tx, name, String(epoch)) };
  });
}

/** On the session that holds the lock: who has lost it cannot raise the epoch over the next holder. */
async function raisedEpoch(client: Client, name: string): Promise<bigint> {
  const { rows } = await client.query<{ epoch: string }>(
    `INSERT INTO lease_epochs AS known (name, epoch) VALUES ($1, 1)
     ON CONFLICT (name) DO UPDATE SET epoch = known.epoch + 1, taken_at = clock_timestamp()
     RETURNING epoch::text`,
    [name],
  );
  return BigInt(rows[0]?.epoch ?? 0);
}

async function holdEpoch(tx: Sql, name: string, epoch: string): Promise<void> {
  const [row] = await tx.rows<{ epoch: string }>(
    'SELECT epoch::text FROM lease_epochs WHERE name = $1 FOR SHARE',
    [name],
  );
  if (row?.epoch !== epoch) throw new LeaseSuperseded(name, epoch, String(row?.epoch));
}

function clientFor(url: string, name: string): Client {
  const client = new Client({
    connectionString: url,
    application_name: `lease ${name}`.slice(0, 63),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    keepAlive: true,
  });
  // A failure before the lease is held is thrown by `acquired`; this keeps it from ending the process.
  client.on('error', () => undefined);
  return client;
}

function held(client: Client, name: string, heartbeatMs: number): Lease {
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
  }, heartbeatMs).unref();
  return {
    lost: lost.signal,
    release: async () => {
      if (!end()) return;
      // A peer that vanished answers no goodbye; behind a question without an answer nobody waits for it.
      await client.query('SELECT 1').catch(() => undefined);
      await client.end().catch(() => undefined);
    },
  };
}
