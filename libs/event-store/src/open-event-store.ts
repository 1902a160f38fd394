import type { EventStore } from './event-store.js';
import type { Log } from './follow/log.js';
import { createMemoryEventStore } from './memory-event-store.js';
import { openPostgresEventStore } from './postgres/postgres-event-store.js';

/** An event store with connections of its own. */
export type OpenEventStore = EventStore & Readonly<{ close: () => Promise<void> }>;

export type EventStoreKind = 'memory' | 'PostgreSQL' | 'EventStoreDB';

const KINDS: Readonly<Record<string, EventStoreKind>> = {
  'memory:': 'memory',
  'postgres:': 'PostgreSQL',
  'postgresql:': 'PostgreSQL',
  'esdb:': 'EventStoreDB',
  'esdb+discover:': 'EventStoreDB',
};

/**
 * By its scheme: `memory:` for a new one that ends with the process, `postgres://…`, `esdb://…`.
 * @throws RangeError for another one, without the URL, which may hold a password
 */
export function eventStoreKind(url: string): EventStoreKind {
  const scheme = /^[a-z][a-z+]*:/.exec(url)?.[0] ?? 'nothing';
  const kind = KINDS[scheme];
  if (kind !== undefined) return kind;
  const known = Object.keys(KINDS).join(', ');
  throw new RangeError(`The URL of an event store must begin with one of ${known}, not ${scheme}.`);
}

/** @throws RangeError for an unknown scheme; what the adapter of the scheme throws */
export async function openEventStore(options: { url: string; log: Log }): Promise<OpenEventStore> {
  switch (eventStoreKind(options.url)) {
    case 'memory':
      return { ...createMemoryEventStore(), close: () => Promise.resolve() };
    case 'PostgreSQL':
      return openPostgresEventStore(options);
    case 'EventStoreDB': {
      // Its client is loaded only where it is used.
      const { openEventStoreDb } = await import('./eventstoredb/index.js');
      return openEventStoreDb(options);
    }
  }
}
