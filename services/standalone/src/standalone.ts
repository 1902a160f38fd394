import { join } from 'node:path';
import { createLocalIssuer, createTokenVerifier } from '@patchtrail/auth';
import { type EventStore, eventStoreKind } from '@patchtrail/event-store';
import type { Bus } from '@patchtrail/messaging';
import {
  createHttpApp,
  type Infra,
  type Logger,
  now,
  type Readiness,
  type Service,
} from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';
import type { StandaloneConfig } from './config.js';
import { type HostBus, reportingEnds } from './bus.js';
import { missingIn, openDatabases } from './databases.js';
import { createParts, type Parts } from './parts.js';
import { openPostgresServer } from './postgres-server.js';
import { loadService, type ServiceName } from './services.js';
import { startHostTelemetry } from './telemetry.js';

/** For people: what runs, and on what. */
export type Facts = Readonly<{
  url: string;
  services: readonly ServiceName[];
  postgres: string;
  bus: string;
  eventStore: string;
  /** `null` where there is none. */
  metricsUrl: string | null;
}>;

export type Standalone = Readonly<{
  facts: Facts;
  /** Resolves with the cause when this cannot go on and must be stopped. */
  failed: Promise<unknown>;
  stop: () => Promise<void>;
}>;

/** Seams for tests that make a part fail at a chosen moment. */
export type Seams = Readonly<{
  /** What every service gets instead of the bus, the event store, and a database of its own. */
  decorateBus?: (bus: Bus) => Bus;
  decorateStore?: (store: EventStore) => EventStore;
  decorateDatabase?: (db: Database) => Database;
}>;

const same = <T>(port: T): T => port;

/** The configured services, all five by default, with what they work on, in one process. */
export async function startStandalone(
  config: StandaloneConfig,
  log: Logger,
  seams: Seams = {},
): Promise<Standalone> {
  const parts = createParts();
  try {
    const { metricsUrl, stop: stopTelemetry } = await startHostTelemetry(config);
    parts.add(stopTelemetry);
    const server = await openPostgresServer(config, missingIn(config), log);
    parts.add(server.stop);
    let fail: (cause: unknown) => void = () => undefined;
    const failed = new Promise<unknown>((resolve) => (fail = resolve));
    const served = await serve(config, server.adminUrl, log, parts, seams, fail);
    const { services } = config;
    const facts = { ...served, services, metricsUrl, postgres: server.description };
    return { facts, failed, stop: parts.stop };
  } catch (error) {
    await parts.stop().catch((failure: unknown) => {
      log.error({ err: failure }, 'Not everything that had been started could be stopped.');
    });
    throw error;
  }
}

async function serve(
  config: StandaloneConfig,
  adminUrl: string | null,
  log: Logger,
  parts: Parts,
  { decorateBus = same, decorateStore = same, decorateDatabase = same }: Seams,
  fail: (cause: unknown) => void,
): Promise<Pick<Facts, 'url' | 'bus' | 'eventStore'>> {
  const hosted = await Promise.all(config.services.map(loadService));
  const databases = await openDatabases(config, adminUrl, hosted, log);
  parts.add(databases.close);
  const eventStore = decorateStore(databases.eventStore);
  const bus = reportingEnds(decorateBus(databases.bus.bus), fail);
  const shared = { bus, verifyToken: await tokenVerifier(config), now };
  const services = new Map<ServiceName, Service>();
  for (const { create, name } of hosted) {
    const infra = {
      ...shared,
      db: decorateDatabase(databases.own(name)),
      log: log.child({ service: name }),
    };
    services.set(name, await create(infra, eventStore));
  }
  const app = await createHttpApp({
    modules: [...services.values()].map(({ module }) => module),
    docs: hosted.map(({ doc }) => doc),
    log,
    ready: readinessOf(services, databases.bus),
  });
  parts.add(app.close);
  for (const service of services.values()) {
    parts.add(service.stop);
    await service.start();
  }
  const url = await app.listen(config.port, config.host);
  const kind = eventStoreKind(config.eventStoreUrl ?? 'postgres:');
  return { url, bus: databases.bus.kind, eventStore: kind };
}

function readinessOf(services: ReadonlyMap<ServiceName, Service>, bus: HostBus): Readiness {
  const own = Object.fromEntries([...services].map(([name, { ready }]) => [name, ready] as const));
  return bus.ready === null ? own : { ...own, bus: bus.ready };
}

/** Without a configured key set, tokens of the local issuer are taken. */
async function tokenVerifier({ auth, dataDir }: StandaloneConfig): Promise<Infra['verifyToken']> {
  if (auth !== null) return createTokenVerifier(auth);
  return createTokenVerifier(await createLocalIssuer(join(dataDir, 'issuer')));
}
