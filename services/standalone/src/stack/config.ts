import { join } from 'node:path';
import { ConfigError } from '@patchtrail/platform';
import { DATABASE_VARIABLES, standaloneConfig, type StandaloneConfig } from '../config.js';
import { SERVICE_NAMES, type ServiceName } from '../services.js';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The variables of a host, but for `PATCHTRAIL_SERVICES`: the stack runs all of them. Its data is
 * in `.patchtrail/stack` unless told.
 * @throws ConfigError
 */
export function stackConfig(env: Environment = process.env): StandaloneConfig {
  const config = standaloneConfig({
    ...env,
    PATCHTRAIL_DATA_DIR: env['PATCHTRAIL_DATA_DIR'] ?? join('.patchtrail', 'stack'),
  });
  refuse('PATCHTRAIL_SERVICES', 'is not for the stack, which runs all of them', () => {
    return config.services.length < SERVICE_NAMES.length;
  });
  refuse('BUS_DATABASE_URL', 'is not for the stack, whose bus is in Kafka', () => {
    return config.busUrl !== null;
  });
  refuse('EVENT_STORE_URL', 'must be one that processes share', () => {
    return config.eventStoreUrl === 'memory:';
  });
  return config;
}

function refuse(variable: string, rule: string, isBroken: () => boolean): void {
  if (isBroken()) throw new ConfigError([{ variable, rule }]);
}

/** What is the same for every process: programs, tokens, spans, and how often discovery looks. */
const INHERITED =
  /^(PATH|HOME|LANG|TZ|LC_\w+|NODE_\w+|XDG_\w+|AUTH_\w+|KAFKA_\w+|OTEL_\w+|DISCOVERY_\w+_MS)$/;

/** The environment of a child: what is the same for all, and these. */
export function childEnvironment(
  more: Environment,
  env: Environment = process.env,
): Record<string, string | undefined> {
  const inherited = Object.entries(env).filter(([name]) => INHERITED.test(name));
  return { ...Object.fromEntries(inherited), ...more };
}

export type Place = Readonly<{
  databaseUrl: string;
  eventStoreUrl: string | null;
  brokers: readonly string[];
}>;

/** One service in a process of its own; `index` counts all processes of the stack. */
export function serviceEnvironment(
  config: StandaloneConfig,
  service: ServiceName,
  instance: string,
  index: number,
  place: Place,
): Record<string, string | undefined> {
  const { metricsPort } = config.telemetry;
  return childEnvironment({
    PATCHTRAIL_SERVICES: service,
    PATCHTRAIL_INSTANCE: instance,
    PATCHTRAIL_DATA_DIR: config.dataDir,
    PATCHTRAIL_HOST: '127.0.0.1',
    PATCHTRAIL_PORT: '0',
    PATCHTRAIL_METRICS_PORT: metricsPort === null ? undefined : String(metricsPort + index),
    [DATABASE_VARIABLES[service]]: place.databaseUrl,
    EVENT_STORE_URL: place.eventStoreUrl ?? undefined,
    KAFKA_BROKERS: place.brokers.join(','),
  });
}
