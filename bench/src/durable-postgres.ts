import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  eventStoreGrants,
  eventStoreMigrations,
  openPostgresEventStore,
  projectionMigrations,
} from '@patchtrail/event-store';
import { busGrants, busMigrations, messagingMigrations } from '@patchtrail/messaging';
import {
  type Database,
  type Migration,
  openDatabase,
  provision,
  removePostgres,
  startPostgres,
} from '@patchtrail/postgres';
import { serverChoice } from './config.js';
import { nobody } from './nobody.js';

const SETTINGS = {
  ...{ fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on', max_connections: '200' },
  // A checkpoint in the middle of one measurement and not of the other would tell nothing.
  ...{ max_wal_size: '4GB', checkpoint_timeout: '30min' },
};

export type BenchDatabases = Readonly<{
  version: string;
  store: Awaited<ReturnType<typeof openPostgresEventStore>>;
  /** The event store's database, as its owner. */
  ownerUrl: string;
  /** A service's database, with the tables of projections, outbox and inbox. */
  service: Database;
  serviceUrl: string;
  /** The log's database, as the role that uses it. */
  busUrl: string;
}>;

export type BenchServer = Readonly<{ adminUrl: string; version: string }>;

/** Works on a PostgreSQL of its own that writes durably, and leaves nothing behind. */
export function withDurablePostgres<T>(
  work: (databases: BenchDatabases) => Promise<T>,
): Promise<T> {
  return withDurableServer((server) => withDatabases(server, work));
}

/** The same with nothing in it. */
export async function withDurableServer<T>(work: (server: BenchServer) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), 'patchtrail-bench-'));
  try {
    const choice = serverChoice();
    const postgres = await startPostgres({ dataDir, choice, log: nobody, settings: SETTINGS });
    try {
      return await work(postgres);
    } finally {
      await postgres.stop();
    }
  } finally {
    await removePostgres(dataDir);
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function withDatabases<T>(
  { adminUrl, version }: BenchServer,
  work: (databases: BenchDatabases) => Promise<T>,
): Promise<T> {
  const made = await provision(adminUrl, [
    { database: 'event_store', role: 'services', ownsSchema: false },
    { database: 'service', role: 'service', ownsSchema: true },
    { database: 'bus', role: 'bus', ownsSchema: false },
  ]);
  const [events, rows, log] = ['event_store', 'service', 'bus'].map((name) => made.get(name));
  if (!events || !rows || !log) throw new Error('Nothing was provisioned.');
  await migrateAsOwner(events.ownerUrl, eventStoreMigrations, eventStoreGrants('services'));
  await migrateAsOwner(log.ownerUrl, busMigrations, busGrants('bus'));
  const migrations = [...projectionMigrations, ...messagingMigrations];
  const service = await openDatabase({ url: rows.url, applicationName: 'bench', migrations });
  const store = await openPostgresEventStore({ url: events.url });
  try {
    const { ownerUrl } = events;
    return await work({ version, store, ownerUrl, service, serviceUrl: rows.url, busUrl: log.url });
  } finally {
    await store.close();
    await service.close();
  }
}

async function migrateAsOwner(
  url: string,
  migrations: readonly Migration[],
  grants: string,
): Promise<void> {
  const owner = await openDatabase({ url, applicationName: 'bench', migrations });
  try {
    await owner.run(grants);
  } finally {
    await owner.close();
  }
}
