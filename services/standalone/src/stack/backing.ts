import { join } from 'node:path';
import type { Logger } from '@patchtrail/platform';
import type { StandaloneConfig } from '../config.js';
import { databaseOf, EVENT_STORE, missingIn, provisionDatabases } from '../databases.js';
import type { Parts } from '../parts.js';
import { openPostgresServer, type PostgresServer } from '../postgres-server.js';
import { SERVICE_NAMES, type ServiceName } from '../services.js';
import { startChild } from './child.js';
import { childEnvironment } from './config.js';

/** What the services work on. */
export type Backing = Readonly<{
  postgres: string;
  databaseUrls: ReadonlyMap<ServiceName, string>;
  eventStoreUrl: string;
  brokers: readonly string[];
}>;

/** A Kafka and PostgreSQL, unless they are configured, and every database with its role. */
export async function openBacking(
  config: StandaloneConfig,
  log: Logger,
  parts: Parts,
  fail: (cause: unknown) => void,
): Promise<Backing> {
  if (config.kafka === null) await requireKafka();
  const missing = missingIn(config, false);
  // Together: neither needs the other. What has started is stopped also when the other has not.
  const [server, brokers] = await Promise.allSettled([
    openPostgresServer(config, missing, log, (own, log) => startPostgresHost(own, log, fail)),
    openKafka(config, log, parts, fail),
  ]);
  if (server.status === 'fulfilled') parts.add(server.value.stop);
  if (server.status === 'rejected') throw server.reason;
  if (brokers.status === 'rejected') throw brokers.reason;
  const { adminUrl, description } = server.value;
  return {
    ...(await databasesOf(config, missing, adminUrl)),
    postgres: description,
    brokers: brokers.value,
  };
}

async function databasesOf(
  config: StandaloneConfig,
  missing: readonly string[],
  adminUrl: string | null,
) {
  const made = adminUrl === null ? null : await provisionDatabases(adminUrl, missing);
  const urlOf = (configured: string | null | undefined, database: string): string => {
    const url = configured ?? made?.get(database)?.url;
    if (url === undefined) throw new Error(`Database ${database} was not provisioned.`);
    return url;
  };
  return {
    databaseUrls: new Map(
      SERVICE_NAMES.map((name) => {
        return [name, urlOf(config.databaseUrls.get(name), databaseOf(name))] as const;
      }),
    ),
    eventStoreUrl: urlOf(config.eventStoreUrl, EVENT_STORE),
  };
}

/** Before anything is started, and with what to do about it. */
async function requireKafka(): Promise<void> {
  const { missingForKafka } = await import('@patchtrail/messaging/kafka-broker');
  const missing = await missingForKafka();
  if (missing === null) return;
  throw new Error(
    `${missing}. Install Java and Maven (Debian: apt-get install default-jre-headless maven), or set KAFKA_BROKERS to host:port of a Kafka that is there already.`,
  );
}

async function openKafka(
  { kafka, dataDir }: StandaloneConfig,
  log: Logger,
  parts: Parts,
  fail: (cause: unknown) => void,
): Promise<readonly string[]> {
  if (kafka !== null) return kafka.brokers;
  const { startKafka } = await import('@patchtrail/messaging/kafka-broker');
  const dir = join(dataDir, 'kafka');
  const running = await startKafka({ dir, log });
  let isStopping = false;
  void running.ended().then(() => {
    if (!isStopping) fail(new Error(`Kafka's process ended: ${join(dir, 'broker.log')} says why.`));
  });
  parts.add(() => {
    isStopping = true;
    return running.stop();
  });
  return running.brokers;
}

/** Its address changes when it starts again, so the stack does not outlive it. */
async function startPostgresHost(
  { dataDir, postgres }: StandaloneConfig,
  log: Logger,
  fail: (cause: unknown) => void,
): Promise<PostgresServer> {
  const child = startChild({
    name: 'postgres',
    entry: import.meta.resolve('./postgres-host.js'),
    env: childEnvironment({
      PATCHTRAIL_INSTANCE: 'postgres',
      PATCHTRAIL_DATA_DIR: dataDir,
      PATCHTRAIL_POSTGRES: postgres,
    }),
  });
  const { url: adminUrl, remark: description } = await child.ready.catch(async (error: unknown) => {
    await child.stop();
    throw error;
  });
  let isStopping = false;
  void child.ended.then((how) => {
    if (!isStopping) fail(new Error(`PostgreSQL's process ended: ${how}.`));
  });
  log.info({ pid: child.pid }, 'PostgreSQL is ready.');
  const stop = () => {
    isStopping = true;
    return child.stop();
  };
  return { adminUrl, description, stop };
}
