import {
  createMemoryEventStore,
  type EventStore,
  openPostgresEventStore,
} from '@patchtrail/event-store';
import type { Logger } from '@patchtrail/platform';

export type HostEventStore = EventStore & Readonly<{ close: () => Promise<void> }>;

/** For people: what a URL stands for. */
export function eventStoreKind(url: string | null): 'PostgreSQL' | 'EventStoreDB' | 'memory' {
  if (url === 'memory:') return 'memory';
  return url?.startsWith('esdb') === true ? 'EventStoreDB' : 'PostgreSQL';
}

/** The client of EventStoreDB is loaded only for a URL of one. */
export async function openEventStore(url: string, log: Logger): Promise<HostEventStore> {
  switch (eventStoreKind(url)) {
    case 'memory':
      return { ...createMemoryEventStore(), close: () => Promise.resolve() };
    case 'PostgreSQL':
      return openPostgresEventStore({ url });
    case 'EventStoreDB': {
      const { openEventStoreDb } = await import('@patchtrail/event-store/eventstoredb');
      return openEventStoreDb({ url, log });
    }
  }
}
