import {
  eventStoreGrants,
  eventStoreMigrations,
  openPostgresEventStore,
} from '@patchtrail/event-store';
import { busGrants, busMigrations, openPostgresBus } from '@patchtrail/messaging';
import { type Logger } from '@patchtrail/platform';
import { type Database, type Migration, openDatabase, provision } from '@patchtrail/postgres';

const EVENT_STORE = 'patchtrail_event_store';
const BUS = 'patchtrail_bus';

export type ServiceName = 'discovery' | 'prioritization' | 'approval' | 'deployment' | 'reporting';

export type Databases = Readonly<{
  services: Readonly<Record<ServiceName, Database>>;
  bus: Awaited<ReturnType<typeof openPostgresBus>>;
  eventStore: Awaited<ReturnType<typeof openPostgresEventStore>>;
  close: () => Promise<void>;
}>;

/** A database and a role for every service, for the bus and for the event store; none sees another. */
export async function openDatabases(
  adminUrl: string,
  migrations: Readonly<Record<ServiceName, readonly Migration[]>>,
  log: Logger,
): Promise<Databases> {
  const names = Object.keys(migrations) as ServiceName[];
  const owned = names.map((name) => spec(`patchtrail_${name}`, true));
  const shared = [spec(EVENT_STORE, false), spec(BUS, false)];
  const urls = await provision(adminUrl, [...owned, ...shared]);
  const urlOf = (database: string) => {
    const provisioned = urls.get(database);
    if (provisioned === undefined) throw new Error(`Database ${database} was not provisioned.`);
    return provisioned;
  };
  await migrateAsOwner(
    urlOf(EVENT_STORE).ownerUrl,
    eventStoreMigrations,
    eventStoreGrants(EVENT_STORE),
  );
  await migrateAsOwner(urlOf(BUS).ownerUrl, busMigrations, busGrants(BUS));

  const entries = await Promise.all(
    names.map(async (name) => {
      const { url } = urlOf(`patchtrail_${name}`);
      const options = { url, applicationName: `patchtrail-${name}`, migrations: migrations[name] };
      return [name, await openDatabase(options)] as const;
    }),
  );
  const services = Object.fromEntries(entries) as Record<ServiceName, Database>;
  const bus = await openPostgresBus({ url: urlOf(BUS).url, log });
  const eventStore = await openPostgresEventStore({ url: urlOf(EVENT_STORE).url });
  return {
    services,
    bus,
    eventStore,
    close: async () => {
      await Promise.all([bus.close(), eventStore.close()]);
      await Promise.all(Object.values(services).map((db) => db.close()));
    },
  };
}

function spec(database: string, ownsSchema: boolean) {
  return { database, role: database, ownsSchema };
}

/** Tables that their own role may not change belong to the administrator. */
async function migrateAsOwner(
  url: string,
  migrations: readonly Migration[],
  grants: string,
): Promise<void> {
  const owner = await openDatabase({ url, applicationName: 'patchtrail-migrations', migrations });
  try {
    await owner.run(grants);
  } finally {
    await owner.close();
  }
}
