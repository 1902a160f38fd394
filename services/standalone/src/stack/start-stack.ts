import { join } from 'node:path';
import { createLocalIssuer } from '@patchtrail/auth';
import { eventStoreKind } from '@patchtrail/event-store';
import type { Logger } from '@patchtrail/platform';
import type { StandaloneConfig } from '../config.js';
import { startFrontDoor } from '../front-door/front-door.js';
import { createParts, type Parts } from '../parts.js';
import { SERVICE_NAMES, type ServiceName } from '../services.js';
import type { Standalone } from '../standalone.js';
import { type Backing, openBacking } from './backing.js';
import { serviceEnvironment } from './config.js';
import { type Supervised, supervise } from './supervise.js';

/** One of each, and two where agents come: its replicas share the work. */
const REPLICAS: readonly ServiceName[] = [...SERVICE_NAMES, 'deployment'];

/** The distributed profile on one host: every service in a process of its own, behind one address. */
export async function startStack(config: StandaloneConfig, log: Logger): Promise<Standalone> {
  const parts = createParts();
  let fail: (cause: unknown) => void = () => undefined;
  const failed = new Promise<unknown>((resolve) => (fail = resolve));
  try {
    const backing = await openBacking(config, log, parts, fail);
    // Made once, before several processes would make one each.
    if (config.auth === null) await createLocalIssuer(join(config.dataDir, 'issuer'));
    const replicas = await startServices(config, backing, log, parts);
    const door = await startFrontDoor({
      find: () => Promise.resolve(urlsOf(replicas)),
      log,
      host: config.host,
      port: config.port,
    });
    parts.add(door.close);
    const { postgres, eventStoreUrl } = backing;
    const eventStore = eventStoreKind(eventStoreUrl);
    const places = { postgres, bus: 'Kafka', eventStore };
    const facts = { url: door.url, services: SERVICE_NAMES, ...places, metricsUrl: null };
    return { facts, failed, stop: parts.stop };
  } catch (error) {
    await parts.stop().catch((failure: unknown) => {
      log.error({ err: failure }, 'Not everything that had been started could be stopped.');
    });
    throw error;
  }
}

type Replica = Readonly<{ service: ServiceName; process: Supervised }>;

async function startServices(
  config: StandaloneConfig,
  { databaseUrls, eventStoreUrl, brokers }: Backing,
  log: Logger,
  parts: Parts,
): Promise<readonly Replica[]> {
  const replicas: Replica[] = [];
  // Stopped together: none needs another.
  parts.add(async () => {
    await Promise.all(replicas.map(({ process }) => process.stop()));
  });
  const starts = REPLICAS.map(async (service, index) => {
    const earlier = REPLICAS.slice(0, index).filter((one) => one === service).length;
    const name = `${service}-${String(earlier + 1)}`;
    const place = { databaseUrl: databaseUrls.get(service) ?? '', eventStoreUrl, brokers };
    const env = serviceEnvironment(config, service, name, index, place);
    const entry = import.meta.resolve('../main.js');
    replicas.push({ service, process: await supervise({ name, entry, env }, log) });
  });
  const failure = (await Promise.allSettled(starts)).find((start) => start.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  return replicas;
}

function urlsOf(replicas: readonly Replica[]): ReadonlyMap<ServiceName, readonly string[]> {
  return new Map(
    SERVICE_NAMES.map((name) => {
      const own = replicas.filter(({ service }) => service === name);
      return [name, own.flatMap(({ process }) => process.url() ?? [])] as const;
    }),
  );
}
