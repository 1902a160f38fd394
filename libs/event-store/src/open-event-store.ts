import type { EventStore } from './event-store.js';
import type { Log } from './follow/log.js';
import { openPostgresEventStore } from './postgres/postgres-event-store.js';

/**
 * The event store at a URL: `postgres://…` or `postgresql://…`, `esdb://…` or `esdb+discover://…`.
 * @throws RangeError for another scheme; what the adapter of the scheme throws
 */
export async function openEventStore(options: {
  url: string;
  log: Log;
}): Promise<EventStore & { close(): Promise<void> }> {
  const scheme = /^[a-z][a-z+]*:/.exec(options.url)?.[0] ?? 'nothing';
  switch (scheme) {
    case 'postgres:':
    case 'postgresql:':
      return openPostgresEventStore(options);
    case 'esdb:':
    case 'esdb+discover:': {
      // Its client is loaded only where it is used.
      const { openEventStoreDb } = await import('./eventstoredb/index.js');
      return openEventStoreDb(options);
    }
    default:
      // The URL may hold a password.
      throw new RangeError(
        `The URL of an event store must begin with postgres:, postgresql:, esdb: or esdb+discover:, not ${scheme}.`,
      );
  }
}
