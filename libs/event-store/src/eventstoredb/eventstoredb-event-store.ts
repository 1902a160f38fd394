import type { EventStore } from '../event-store.js';
import type { Log } from '../follow/log.js';
import { observedAppend } from '../observed-append.js';
import { LIMITS, type Limits, type Server } from './answers.js';
import { append } from './append.js';
import { leaseClient } from './client-lease.js';
import { parseConnectionUrl } from './connection-url.js';
import { identity } from './identity.js';
import { comparePositions, positionOf } from './log-position.js';
import { head, readAll, readStream } from './read.js';
import { checkServer } from './start-up.js';
import { subscribe } from './subscription.js';

/**
 * An event store in an EventStoreDB server or cluster. Stores of one URL share the one client of
 * the process; a second URL is refused while they are open. Close it after the subscriptions have
 * ended. When an append rejects with `NoAnswer` its outcome is unknown, and the same append may be
 * repeated.
 *
 * @param options.url `esdb://user:password@host:2113?tls=true&tlsCaFile=…`
 * @throws InvalidConnectionUrl, UnfitServer, NoAnswer
 */
export async function openEventStoreDb(options: {
  url: string;
  log: Log;
  limits?: Partial<Limits>;
}): Promise<EventStore & { close(): Promise<void> }> {
  const { url, log } = options;
  const limits = { ...LIMITS, ...options.limits };
  const lease = leaseClient(url);
  const stop = new AbortController();
  const server: Server = { client: lease.client, limits, closing: stop.signal };
  const close = async () => {
    stop.abort();
    await lease.release();
  };
  try {
    await checkServer(server, parseConnectionUrl(url), log);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    append: observedAppend('eventstoredb', (stream, expected, events) =>
      append(server, stream, expected, events),
    ),
    read: (stream, readOptions = {}) => readStream(server, stream, readOptions),
    readAll: (readOptions = {}) => readAll(server, readOptions),
    identity: () => identity(server),
    head: async () => {
      const newest = await head(server);
      return newest === null ? null : positionOf(newest);
    },
    subscribe: (subscribeOptions) => subscribe(server, log, subscribeOptions),
    comparePositions,
    close,
  };
}
