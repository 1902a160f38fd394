import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  eventStoreGrants,
  eventStoreMigrations,
  openPostgresEventStore,
  projectionMigrations,
} from '@patchtrail/event-store';
import {
  type Database,
  openDatabase,
  provision,
  removePostgres,
  startPostgres,
} from '@patchtrail/postgres';
import { serverChoice } from './config.js';

const SETTINGS = {
  ...{ fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on', max_connections: '200' },
  // A checkpoint in the middle of one measurement and not of the other would tell nothing.
  ...{ max_wal_size: '4GB', checkpoint_timeout: '30min' },
};

const nobody = { info: () => undefined, warn: () => undefined, error: () => undefined };

export type BenchDatabases = Readonly<{
  version: string;
  store: Awaited<ReturnType<typeof openPostgresEventStore>>;
  /** The event store's database, as its owner. */
  ownerUrl: string;
  /** A service's database, with the tables that projections need. */
  service: Database;
}>;

/** Works on a PostgreSQL of its own that writes durably, and leaves nothing behind. */
export async function withDurablePostgres<T>(
  work: (databases: BenchDatabases) => Promise<T>,
): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'patchtrail-bench-'));
  try {
    const choice = serverChoice();
    const postgres = await startPostgres({ dataDir, choice, log: nobody, settings: SETTINGS });
    try {
      return await withDatabases(postgres, work);
    } finally {
      await postgres.stop();
    }
  } finally {
    await removePostgres(dataDir);
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function withDatabases<T>(
  { adminUrl, version }: { adminUrl: string; version: string },
  work: (databases: BenchDatabases) => Promise<T>,
): Promise<T> {
  const made = await provision(adminUrl, [
    { database: 'event_store', role: 'services', ownsSchema: false },
    { database: 'service', role: 'service', ownsSchema: true },
  ]);
  const events = made.get('event_store');
  const rows = made.get('service');
  if (events === undefined || rows === undefined) throw new Error('Nothing was provisioned.');
  const applicationName = 'bench';
  const owner = await openDatabase({
    ...{ url: events.ownerUrl, applicationName, migrations: eventStoreMigrations },
  });
  await owner.run(eventStoreGrants(new URL(events.url).username));
  await owner.close();
  const service = await openDatabase({
    ...{ url: rows.url, applicationName, migrations: projectionMigrations },
  });
  const store = await openPostgresEventStore({ url: events.url });
  try {
    return await work({ version, store, ownerUrl: events.ownerUrl, service });
  } finally {
    await store.close();
    await service.close();
  }
}
