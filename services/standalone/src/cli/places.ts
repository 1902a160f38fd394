import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openEventStore, type OpenEventStore } from '@patchtrail/event-store';
import type { Logger } from '@patchtrail/platform';
import {
  type Database,
  findPostgres,
  openDatabase,
  SqlError,
  startPostgres,
} from '@patchtrail/postgres';
import type { StandaloneConfig } from '../config.js';
import { DATABASE_VARIABLES } from '../config.js';
import { databaseOf, EVENT_STORE } from '../databases.js';
import type { ServiceName } from '../services.js';

const NO_SUCH_DATABASE = '3D000';

/** What a command works on, beside a host that may be running. */
export type Places = Readonly<{
  db: Database;
  eventStore: OpenEventStore;
  close: () => Promise<void>;
}>;

type Server = Readonly<{ adminUrl: string; stop: () => Promise<void> }>;

/**
 * The database of a service, as the role that it belongs to, and the event store: as configured,
 * else on the server of `DATABASE_URL`, else on that of the data folder, which is started for the
 * time being where it does not run. Passwords of roles stay as they are, for a running host has them.
 */
export async function openPlaces(
  config: StandaloneConfig,
  service: ServiceName,
  log: Logger,
): Promise<Places> {
  if (config.eventStoreUrl === 'memory:') {
    throw new Error('EVENT_STORE_URL: must not be memory:, for no other process can read it');
  }
  const serviceUrl = config.databaseUrls.get(service) ?? null;
  const isConfigured = serviceUrl !== null && config.eventStoreUrl !== null;
  const server = isConfigured ? null : await serverOf(config, log);
  const opened: (() => Promise<void>)[] = server === null ? [] : [server.stop];
  const close = async () => {
    for (const one of opened.splice(0).reverse()) await one();
  };
  try {
    const url = serviceUrl ?? onServer(server, databaseOf(service), { asOwnRole: true });
    const db = await opening(url, () =>
      openDatabase({ url, applicationName: `patchtrail-${service}-command`, poolMax: 4 }),
    );
    opened.push(() => db.close());
    const storeUrl = config.eventStoreUrl ?? onServer(server, EVENT_STORE);
    const eventStore = await opening(storeUrl, () => openEventStore({ url: storeUrl, log }));
    opened.push(() => eventStore.close());
    return { db, eventStore, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function serverOf(
  { databaseUrl, dataDir, postgres }: StandaloneConfig,
  log: Logger,
): Promise<Server> {
  const stop = () => Promise.resolve();
  if (databaseUrl !== null) return { adminUrl: databaseUrl, stop };
  const folder = join(dataDir, 'postgres');
  if ((await stat(folder).catch(() => null)) === null) {
    throw new Error(
      `There is no data in ${dataDir}. Set PATCHTRAIL_DATA_DIR, or DATABASE_URL, to where the host has it.`,
    );
  }
  const adminUrl = await findPostgres(folder);
  if (adminUrl !== null) return { adminUrl, stop };
  return startPostgres({ dataDir: folder, choice: postgres, log });
}

function onServer(server: Server | null, database: string, { asOwnRole = false } = {}): string {
  if (server === null) throw new Error(`There is no server for ${database}.`);
  const url = new URL(server.adminUrl);
  url.pathname = `/${database}`;
  // New tables must belong to the role, and nothing may happen that it could not do itself.
  if (asOwnRole) url.searchParams.set('options', `-c role=${database}`);
  return url.href;
}

async function opening<T>(url: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    if (!isMissing(cause)) throw cause;
    const { pathname, host } = new URL(url);
    const variables = Object.values(DATABASE_VARIABLES).join(', ');
    throw new Error(
      `There is no database ${pathname.slice(1)} on ${host}. Start the host on it first, or set ${variables} or EVENT_STORE_URL as the host has them.`,
      { cause },
    );
  }
}

function isMissing(error: unknown): boolean {
  if (error instanceof SqlError) return error.code === NO_SUCH_DATABASE;
  return error instanceof Error && 'code' in error && error.code === NO_SUCH_DATABASE;
}
