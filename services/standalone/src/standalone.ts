import { join } from 'node:path';
import { approvalMigrations, ApprovalModule, createApproval } from '@patchtrail/approval';
import { createLocalIssuer, createTokenVerifier } from '@patchtrail/auth';
import { createDeployment, DeploymentModule, deploymentMigrations } from '@patchtrail/deployment';
import { createDiscovery, discoveryMigrations, DiscoveryModule } from '@patchtrail/discovery';
import { createHttpApp, type Infra, type Logger, now, type Service } from '@patchtrail/platform';
import type { Bus } from '@patchtrail/messaging';
import { holdInstanceLock, startPostgres } from '@patchtrail/postgres';
import {
  createPrioritization,
  prioritizationMigrations,
  PrioritizationModule,
} from '@patchtrail/prioritization';
import { createReporting, reportingMigrations, ReportingModule } from '@patchtrail/reporting';
import type { StandaloneConfig } from './config.js';
import { type Databases, openDatabases, type ServiceName } from './databases.js';

export type Standalone = Readonly<{ url: string; postgres: string; stop: () => Promise<void> }>;

const MIGRATIONS = {
  discovery: discoveryMigrations,
  prioritization: prioritizationMigrations,
  approval: approvalMigrations,
  deployment: deploymentMigrations,
  reporting: reportingMigrations,
};

const DOCS = [
  { name: 'discovery', title: 'Patchtrail discovery', module: DiscoveryModule },
  { name: 'prioritization', title: 'Patchtrail prioritization', module: PrioritizationModule },
  { name: 'approval', title: 'Patchtrail approval', module: ApprovalModule },
  { name: 'deployment', title: 'Patchtrail deployment', module: DeploymentModule },
  { name: 'reporting', title: 'Patchtrail reporting', module: ReportingModule },
];

/** Seams for tests that make a part fail at a chosen moment. */
export type Seams = Readonly<{
  /** What every service gets instead of the bus. */
  decorateBus?: (bus: Bus) => Bus;
}>;

/** Five service modules, their databases, the bus and the event store in one process. */
export async function startStandalone(
  config: StandaloneConfig,
  log: Logger,
  { decorateBus = (bus) => bus }: Seams = {},
): Promise<Standalone> {
  const undo: (() => Promise<void>)[] = [];
  const stop = async () => {
    const failures: unknown[] = [];
    // One part that cannot stop must not keep the others, the database server above all, running.
    for (const step of undo.splice(0).reverse()) {
      await step().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('; '));
  };
  try {
    const server = await openServer(config, log);
    undo.push(server.stop);
    const instance = await holdInstanceLock(server.adminUrl, 'patchtrail-standalone');
    undo.push(() => instance.release());
    const databases = await openDatabases(server.adminUrl, MIGRATIONS, log);
    undo.push(databases.close);
    const { services: own, eventStore } = databases;
    const bus = decorateBus(databases.bus);
    const shared = { bus, eventStore, verifyToken: await tokenVerifier(config), now };
    const services = await createServices(own, shared, log);
    const app = await createHttpApp({
      modules: services.map(({ module }) => module),
      docs: DOCS,
      log,
      ready: services.map(({ ready }) => ready),
    });
    undo.push(app.close);
    for (const service of services) {
      undo.push(service.stop);
      await service.start();
    }
    const url = await app.listen(config.port, config.host);
    return { url, postgres: server.description, stop };
  } catch (error) {
    await stop().catch((failure: unknown) => {
      log.error({ err: failure }, 'Not everything that had been started could be stopped.');
    });
    throw error;
  }
}

async function openServer(config: StandaloneConfig, log: Logger) {
  if (config.databaseUrl !== null) {
    return {
      adminUrl: config.databaseUrl,
      description: 'DATABASE_URL',
      stop: () => Promise.resolve(),
    };
  }
  const dataDir = join(config.dataDir, 'postgres');
  const server = await startPostgres({ dataDir, choice: config.postgres, log });
  return {
    adminUrl: server.adminUrl,
    description: `${server.kind} ${server.version}`,
    stop: () => server.stop(),
  };
}

/** Without a configured key set, tokens of the local issuer are taken. */
async function tokenVerifier({ auth, dataDir }: StandaloneConfig): Promise<Infra['verifyToken']> {
  if (auth !== null) return createTokenVerifier(auth);
  return createTokenVerifier(await createLocalIssuer(join(dataDir, 'issuer')));
}

async function createServices(
  databases: Databases['services'],
  shared: Omit<Infra, 'db' | 'log'> & Readonly<{ eventStore: Databases['eventStore'] }>,
  log: Logger,
): Promise<readonly Service[]> {
  const infra = (name: ServiceName) => ({
    ...shared,
    db: databases[name],
    log: log.child({ service: name }),
  });
  return [
    await createDiscovery(infra('discovery')),
    await createPrioritization(infra('prioritization')),
    await createApproval(infra('approval')),
    await createDeployment(infra('deployment')),
    await createReporting(infra('reporting')),
  ];
}
