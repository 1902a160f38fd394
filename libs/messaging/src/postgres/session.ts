import { Client } from 'pg';
import { pause } from '../pause.js';

/** Both sides give up on a dead peer within this time, in milliseconds. */
const STATEMENT_MS_MAX = 30_000;
const CLOSE_MS_MAX = 5_000;

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

/**
 * The server ends a session that says nothing for `silenceMs`, and with it the hold on its
 * partitions: a handler that hangs, a frozen process or a vanished host keeps them no longer.
 */
export async function openSession(
  url: string,
  silenceMs: number,
  onHint: (hint: Hint) => void,
): Promise<Session> {
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
  // A connection takes one statement at a time.
  let before: Promise<unknown> = Promise.resolve();
  const rows = <T>(sql: string, values: readonly unknown[] = []): Promise<T[]> => {
    const asked = before.then(async () => {
      lost.signal.throwIfAborted();
      return (await client.query<T & object>(sql, [...values])).rows;
    });
    before = asked.catch(() => undefined);
    return asked;
  };
  const close = async () => {
    const waited = new AbortController();
    // A peer that vanished never answers the goodbye.
    await Promise.race([client.end(), pause(CLOSE_MS_MAX, waited.signal)]);
    waited.abort();
  };
  try {
    await rows(`SET idle_session_timeout = ${String(silenceMs)}`);
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
