import { join } from 'node:path';
import { createLocalIssuer } from '@patchtrail/auth';
import { type RunningKafka, startKafka } from '@patchtrail/messaging/kafka-broker';
import type { Logger } from '@patchtrail/platform';
import {
  type Database,
  openDatabase,
  removePostgres,
  type RunningPostgres,
  startPostgres,
} from '@patchtrail/postgres';
import { DATABASE_VARIABLES } from '../config.js';
import { BUS, databaseOf, EVENT_STORE, provisionDatabases } from '../databases.js';
import { createParts } from '../parts.js';
import { SERVICE_NAMES, type ServiceName } from '../services.js';
import type { BusKind } from './config.js';
import { type Proxy, startProxy } from './proxy.js';

/** What is behind a proxy, and can be taken away. */
export type Backed = Readonly<{
  what: 'database' | 'broker';
  proxy: Proxy;
  /** Ends it as a power cut would. */
  kill: () => Promise<void>;
  /** Ends it in order. */
  stop: () => Promise<void>;
  /** On its data as it was left. */
  restart: () => Promise<void>;
}>;

export type Backing = Readonly<{
  database: Backed;
  broker: Backed | null;
  /** Of the broker itself, past its proxy; empty without one. */
  brokers: readonly string[];
  /** As the administrator, past the proxy, while the server runs. Whoever opens it closes it. */
  admin: (database: string) => Promise<Database>;
  adminUrl: (database: string) => string;
  /** The environment of a host of these services. */
  environment: (
    services: readonly ServiceName[],
    instance: string,
  ) => Readonly<Record<string, string | undefined>>;
  token: (sub: string, role: 'platform-engineer' | 'approver' | 'auditor') => Promise<string>;
  close: () => Promise<void>;
}>;

const TOKEN_SECONDS = 3_600;

/** A PostgreSQL server, and a broker for a bus in Kafka, each behind a proxy, in a folder. */
export async function openBacking(bus: BusKind, dir: string, log: Logger): Promise<Backing> {
  const parts = createParts();
  try {
    const database = await openServer(dir, log, parts.add);
    const kafka = bus === 'kafka' ? await openKafka(dir, parts.add) : null;
    const shared = [EVENT_STORE, ...(kafka === null ? [BUS] : [])];
    const made = await provisionDatabases(database.url(), [
      ...SERVICE_NAMES.map(databaseOf),
      ...shared,
    ]);
    const issuer = await createLocalIssuer(join(dir, 'issuer'));
    const proxied = (name: string) => {
      const url = new URL(made.get(name)?.url ?? '');
      url.port = String(database.backed.proxy.port);
      return url.href;
    };
    const adminUrl = (name: string) => {
      const url = new URL(database.url());
      url.pathname = `/${name}`;
      return url.href;
    };
    return {
      database: database.backed,
      broker: kafka?.backed ?? null,
      brokers: kafka?.brokers ?? [],
      adminUrl,
      admin: (name) =>
        openDatabase({ url: adminUrl(name), applicationName: 'patchtrail-faults', poolMax: 2 }),
      environment: (services, instance) => ({
        PATCHTRAIL_SERVICES: services.join(','),
        PATCHTRAIL_INSTANCE: instance,
        PATCHTRAIL_DATA_DIR: dir,
        PATCHTRAIL_PORT: '0',
        ...Object.fromEntries(
          services.map((name) => [DATABASE_VARIABLES[name], proxied(databaseOf(name))]),
        ),
        EVENT_STORE_URL: proxied(EVENT_STORE),
        ...(kafka === null
          ? { BUS_DATABASE_URL: proxied(BUS) }
          : { KAFKA_BROKERS: `127.0.0.1:${String(kafka.backed.proxy.port)}` }),
      }),
      token: (sub, role) =>
        issuer.mint({ sub, roles: [role], departments: ['*'], ttlSeconds: TOKEN_SECONDS }),
      close: parts.stop,
    };
  } catch (error) {
    await parts.stop();
    throw error;
  }
}

type Add = (stop: () => Promise<void>) => void;

async function openServer(dir: string, log: Logger, add: Add) {
  const dataDir = join(dir, 'postgres');
  const start = () => startPostgres({ dataDir, choice: 'auto', log });
  add(() => removePostgres(dataDir));
  let server: RunningPostgres = await start();
  add(() => server.stop());
  const proxy = await startProxy(portOf(server));
  add(proxy.close);
  const backed: Backed = {
    what: 'database',
    proxy,
    kill: async () => {
      process.kill(await postmasterOf(server), 'SIGKILL');
    },
    stop: () => server.stop(),
    restart: async () => {
      server = await start();
      proxy.aim(portOf(server));
    },
  };
  return { backed, url: () => server.adminUrl };
}

function portOf({ adminUrl }: RunningPostgres): number {
  return Number(new URL(adminUrl).port);
}

async function postmasterOf({ adminUrl }: RunningPostgres): Promise<number> {
  const db = await openDatabase({ url: adminUrl, applicationName: 'patchtrail-faults' });
  try {
    const [row] = await db.rows<{ pid: string }>(
      `SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1) AS pid`,
    );
    return Number(row?.pid);
  } finally {
    await db.close();
  }
}

async function openKafka(dir: string, add: Add) {
  // Clients go where the broker says that it is, which therefore is the proxy.
  const proxy = await startProxy(0);
  add(proxy.close);
  const kafka: RunningKafka = await startKafka({
    dir: join(dir, 'kafka'),
    advertised: `127.0.0.1:${String(proxy.port)}`,
  });
  add(kafka.stop);
  const [address = ''] = kafka.brokers;
  proxy.aim(Number(address.split(':').at(-1)));
  const backed: Backed = {
    what: 'broker',
    proxy,
    kill: kafka.kill,
    stop: kafka.stop,
    restart: kafka.restart,
  };
  return { backed, brokers: kafka.brokers };
}
