import { join } from 'node:path';
import { createLocalIssuer, createTokenVerifier } from '@patchtrail/auth';
import type { Bus } from '@patchtrail/messaging';
import { createHttpApp, type Infra, type Logger, now, type Service } from '@patchtrail/platform';
import type { StandaloneConfig } from './config.js';
import { openDatabases } from './databases.js';
import { createParts, type Parts } from './parts.js';
import { openPostgresServer } from './postgres-server.js';
import { loadService } from './services.js';
import { startHostTelemetry } from './telemetry.js';

export type Standalone = Readonly<{
  url: string;
  /** `null` where there is none. */
  metricsUrl: string | null;
  /** For people: where the data is. */
  postgres: string;
  stop: () => Promise<void>;
}>;

/** Seams for tests that make a part fail at a chosen moment. */
export type Seams = Readonly<{
  /** What every service gets instead of the bus. */
  decorateBus?: (bus: Bus) => Bus;
}>;

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
    const server = await openPostgresServer(config, log);
    parts.add(server.stop);
    const url = await serve(config, server.adminUrl, log, parts, seams);
    return { url, metricsUrl, postgres: server.description, stop: parts.stop };
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
  { decorateBus = (bus) => bus }: Seams,
): Promise<string> {
  const hosted = await Promise.all(config.services.map(loadService));
  const databases = await openDatabases(config, adminUrl, hosted, log);
  parts.add(databases.close);
  const { eventStore, own } = databases;
  const shared = { bus: decorateBus(databases.bus), verifyToken: await tokenVerifier(config), now };
  const services: Service[] = [];
  for (const { create, name } of hosted) {
    const infra = { ...shared, db: own(name), log: log.child({ service: name }) };
    services.push(await create(infra, eventStore));
  }
  const app = await createHttpApp({
    modules: services.map(({ module }) => module),
    docs: hosted.map(({ doc }) => doc),
    log,
    ready: services.map(({ ready }) => ready),
  });
  parts.add(app.close);
  for (const service of services) {
    parts.add(service.stop);
    await service.start();
  }
  return app.listen(config.port, config.host);
}

/** Without a configured key set, tokens of the local issuer are taken. */
async function tokenVerifier({ auth, dataDir }: StandaloneConfig): Promise<Infra['verifyToken']> {
  if (auth !== null) return createTokenVerifier(auth);
  return createTokenVerifier(await createLocalIssuer(join(dataDir, 'issuer')));
}
