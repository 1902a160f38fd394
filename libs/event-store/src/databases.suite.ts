import { type Database, openDatabase } from '@patchtrail/postgres';
import { freshDatabase, freshProvisioned } from '@patchtrail/testing';
import type { EventStore } from './event-store.js';
import { projectionMigrations } from './follow/migrations.js';
import { eventStoreGrants, eventStoreMigrations } from './postgres/migrations.js';
import { openPostgresEventStore } from './postgres/postgres-event-store.js';

export type OpenedStore = {
  store: EventStore;
  /** The database as the role of the services, and as the owner of the schema. */
  urls: { role: string; owner: string };
  close: () => Promise<void>;
};

/** An event store as the product has one: migrated by the owner, opened by a role with grants. */
export async function openFreshStore(): Promise<OpenedStore> {
  const spec = { database: 'event_store', role: 'services', ownsSchema: false };
  const provisioned = await freshProvisioned([spec]);
  const urls = provisioned.databases.get('event_store');
  if (urls === undefined) throw new Error('The event store was not provisioned.');
  const owner = await openDatabase({
    url: urls.ownerUrl,
    applicationName: 'spec',
    migrations: eventStoreMigrations,
  });
  await owner.run(eventStoreGrants(new URL(urls.url).username));
  await owner.close();
  const store = await openPostgresEventStore({ url: urls.url });
  return {
    store,
    urls: { role: urls.url, owner: urls.ownerUrl },
    close: async () => {
      await store.close();
      await provisioned.drop();
    },
  };
}

/** A service's database with the tables of projections, reactions and timers. */
export async function openFreshDatabase(): Promise<{ db: Database; close: () => Promise<void> }> {
  const fresh = await freshDatabase();
  const db = await openDatabase({
    url: fresh.url,
    applicationName: 'spec',
    migrations: projectionMigrations,
  });
  return {
    db,
    close: async () => {
      await db.close();
      await fresh.drop();
    },
  };
}
