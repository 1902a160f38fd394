import {
  type EventStore,
  eventStoreGrants,
  eventStoreMigrations,
  openEventStore,
} from '@patchtrail/event-store';
import { busGrants, busMigrations } from '@patchtrail/messaging';
import type { Logger } from '@patchtrail/platform';
import {
  type Database,
  type Migration,
  openDatabase,
  provision,
  type Provisioned,
} from '@patchtrail/postgres';
import type { StandaloneConfig } from './config.js';
import { type HostBus, openBus } from './bus.js';
import { EVENT_SOURCED, type HostedService, type ServiceName } from './services.js';

export const EVENT_STORE = 'patchtrail_event_store';
export const BUS = 'patchtrail_bus';

/** The name of a service's database, and of its role. */
export function databaseOf(service: ServiceName): string {
  return `patchtrail_${service}`;
}

/** Everything that the services keep their data in. */
export type Databases = Readonly<{
  /** A service's own. */
  own: (name: ServiceName) => Database;
  bus: HostBus;
  eventStore: EventStore;
  close: () => Promise<void>;
}>;

/** What is not configured and therefore belongs on a server that this host may administer. */
export function missingIn(
  config: StandaloneConfig,
  needsBus = config.busUrl === null && config.kafka === null,
): readonly string[] {
  const own = config.services.filter((name) => !config.databaseUrls.has(name));
  return [
    ...own.map(databaseOf),
    ...(eventStoreUrlOf(config) === null ? [EVENT_STORE] : []),
    ...(needsBus ? [BUS] : []),
  ];
}

/**
 * A database and a role for every service, for the bus and for the event store, of which none sees
 * another: as configured, and the missing ones on the administrator's server.
 */
export async function openDatabases(
  config: StandaloneConfig,
  adminUrl: string | null,
  hosted: readonly Pick<HostedService, 'name' | 'migrations'>[],
  log: Logger,
): Promise<Databases> {
  const made = adminUrl === null ? null : await provisionDatabases(adminUrl, missingIn(config));
  const urlOf = (configured: string | null, database: string) => {
    const url = configured ?? made?.get(database)?.url;
    if (url === undefined) throw new Error(`Database ${database} was not provisioned.`);
    return url;
  };
  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(one: T): T => {
    opened.push(one);
    return one;
  };
  const close = async () => {
    // In the order of their use: the services' rows outlive bus and store by a moment.
    for (const one of opened.splice(0).reverse()) await one.close();
  };
  try {
    const databases = new Map<ServiceName, Database>();
    for (const { name, migrations } of hosted) {
      const url = urlOf(config.databaseUrls.get(name) ?? null, databaseOf(name));
      const options = { url, applicationName: `patchtrail-${name}`, migrations };
      databases.set(name, keep(await openDatabase(options)));
    }
    const own = (name: ServiceName) => {
      const database = databases.get(name);
      if (database === undefined) throw new Error(`${name} is not hosted here.`);
      return database;
    };
    const bus = keep(await openBus(config, () => urlOf(config.busUrl, BUS), log));
    const storeUrl = urlOf(eventStoreUrlOf(config), EVENT_STORE);
    const eventStore = keep(await openEventStore({ url: storeUrl, log }));
    return { own, bus, eventStore, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** `null`: one is to be made. A host without event-sourced services needs none that lasts. */
function eventStoreUrlOf({ services, eventStoreUrl }: StandaloneConfig): string | null {
  return services.some((name) => EVENT_SOURCED.includes(name)) ? eventStoreUrl : 'memory:';
}

/**
 * Databases and roles by their names, each with a new password unless one is given, and the tables
 * that owners make.
 */
export async function provisionDatabases(
  adminUrl: string,
  names: readonly string[],
  passwords: ReadonlyMap<string, string> = new Map(),
): Promise<ReadonlyMap<string, Provisioned>> {
  if (names.length === 0) return new Map();
  const shared = [EVENT_STORE, BUS];
  const specs = names.map((database) => {
    const password = passwords.get(database);
    return {
      ...{ database, role: database },
      ownsSchema: !shared.includes(database),
      ...(password === undefined ? {} : { password }),
    };
  });
  const made = await provision(adminUrl, specs);
  await migrateAsOwner(made.get(EVENT_STORE), eventStoreMigrations, eventStoreGrants(EVENT_STORE));
  await migrateAsOwner(made.get(BUS), busMigrations, busGrants(BUS));
  return made;
}

/** Tables that their own role may not change belong to the administrator. */
async function migrateAsOwner(
  made: Provisioned | undefined,
  migrations: readonly Migration[],
  grants: string,
): Promise<void> {
  if (made === undefined) return;
  const applicationName = 'patchtrail-migrations';
  const owner = await openDatabase({ url: made.ownerUrl, applicationName, migrations });
  try {
    await owner.run(grants);
  } finally {
    await owner.close();
  }
}
