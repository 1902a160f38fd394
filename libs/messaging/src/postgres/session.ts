import { Client } from 'pg';

/** Both sides give up on a dead peer within this time, in milliseconds. */
const STATEMENT_MS_MAX = 30_000;
/**
 * The server ends the session of a member that says nothing for this long, and with it the hold on
 * its partitions: a handler that hangs, a frozen process or a vanished host keeps them no longer.
 */
export const SILENCE_MS_MAX = 300_000;

export const CONNECTION_LIMITS = {
  connectionTimeoutMillis: 10_000,
  statement_timeout: STATEMENT_MS_MAX,
  query_timeout: STATEMENT_MS_MAX + 5_000,
  idle_in_transaction_session_timeout: STATEMENT_MS_MAX,
  keepAlive: true,
} as const;

/** Publishing and membership raise their hand here; polling finds what a lost hint did not say. */
export const MESSAGES_CHANNEL = 'patchtrail_bus_messages';
export const MEMBERS_CHANNEL = 'patchtrail_bus_members';

export type Hint = Readonly<{ channel: string; payload: string }>;

/** One connection of its own, with the locks it holds; `lost` aborts when it is gone. */
export type Session = Readonly<{
  rows: <T>(sql: string, values?: readonly unknown[]) => Promise<T[]>;
  lost: AbortSignal;
  /** Gives back every lock and disconnects. */
  close: () => Promise<void>;
}>;

export async function openSession(url: string, onHint: (hint: Hint) => void): Promise<Session> {
  const client = new Client({
    connectionString: url,
    application_name: 'patchtrail-bus-member',
    ...CONNECTION_LIMITS,
  });
  const lost = new AbortController();
  client.on('error', (error) => lost.abort(error));
  client.on('end', () => lost.abort(new Error('The connection to the bus has ended.')));
  client.on('notification', ({ channel, payload = '' }) => onHint({ channel, payload }));
  await client.connect();
  const rows = async <T>(sql: string, values: readonly unknown[] = []): Promise<T[]> => {
    lost.signal.throwIfAborted();
    const result = await client.query<T & object>(sql, [...values]);
    return result.rows;
  };
  const close = () => client.end();
  try {
    await rows(`SET idle_session_timeout = ${String(SILENCE_MS_MAX)}`);
    // A commit of an offset that a crash of the server forgets is a duplicate, which is allowed.
    await rows('SET synchronous_commit = off');
    await rows(`LISTEN ${MESSAGES_CHANNEL}`);
    await rows(`LISTEN ${MEMBERS_CHANNEL}`);
  } catch (error) {
    await close();
    throw error;
  }
  return { rows, lost: lost.signal, close };
}
