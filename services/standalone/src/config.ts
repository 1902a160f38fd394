import { join, resolve } from 'node:path';
import type { TokenVerifierOptions } from '@patchtrail/auth';
import {
  type KafkaConfig,
  kafkaConfig,
  KafkaConfigError,
} from '@patchtrail/messaging/kafka-config';
import { ConfigError, type Environment as Variables, readConfig } from '@patchtrail/platform';
import { type Static, Type } from '@sinclair/typebox';
import { SERVICE_NAMES, type ServiceName } from './services.js';

const POSTGRES_URL = '^postgres(ql)?://';

const CHOICES = ['auto', 'embedded', 'installed'] as const;

/** They are for `patchtrail messages`, and may be in the shell that a host is started from. */
const OF_COMMANDS = ['PATCHTRAIL_URL', 'PATCHTRAIL_TOKEN'];

const Environment = Type.Object({
  /** An administrator's URL; without it a server of its own is started where one is needed. */
  DATABASE_URL: Type.Optional(Type.String({ pattern: POSTGRES_URL })),
  /** Databases that are there already, each with the URL of its own role. */
  DISCOVERY_DATABASE_URL: Type.Optional(Type.String({ pattern: POSTGRES_URL })),
  PRIORITIZATION_DATABASE_URL: Type.Optional(Type.String({ pattern: POSTGRES_URL })),
  APPROVAL_DATABASE_URL: Type.Optional(Type.String({ pattern: POSTGRES_URL })),
  DEPLOYMENT_DATABASE_URL: Type.Optional(Type.String({ pattern: POSTGRES_URL })),
  REPORTING_DATABASE_URL: Type.Optional(Type.String({ pattern: POSTGRES_URL })),
  BUS_DATABASE_URL: Type.Optional(Type.String({ pattern: POSTGRES_URL })),
  /** PostgreSQL, EventStoreDB, or the memory of this process. */
  EVENT_STORE_URL: Type.Optional(
    Type.String({ pattern: '^(memory:$|postgres(ql)?://|esdb(\\+discover)?://)' }),
  ),
  /** Names with commas between them; all of them by default. */
  PATCHTRAIL_SERVICES: Type.Optional(Type.String({ minLength: 1 })),
  /** What this process is called in its log. */
  PATCHTRAIL_INSTANCE: Type.Optional(Type.String({ pattern: '^[a-z0-9.-]{1,63}$' })),
  PATCHTRAIL_POSTGRES: Type.Optional(Type.String({ pattern: `^(${CHOICES.join('|')})$` })),
  PATCHTRAIL_DATA_DIR: Type.Optional(Type.String({ minLength: 1 })),
  /** An address or a host name. */
  PATCHTRAIL_HOST: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9.:-]{1,253}$' })),
  PATCHTRAIL_PORT: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
  /** Where `GET /metrics` answers in Prometheus' text format. */
  PATCHTRAIL_METRICS_PORT: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
  /** Base URL of an OTLP/HTTP collector for traces and metrics. */
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(Type.String({ pattern: '^https?://' })),
  /** The part of the traces that is recorded, 0 to 1; all of them by default. */
  OTEL_TRACES_SAMPLER_ARG: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  /** File or https URL of the key set that tokens are verified with; needs the next two. */
  AUTH_JWKS: Type.Optional(Type.String({ minLength: 1 })),
  AUTH_ISSUER: Type.Optional(Type.String({ minLength: 1 })),
  AUTH_AUDIENCE: Type.Optional(Type.String({ minLength: 1 })),
});

export const DATABASE_VARIABLES = {
  discovery: 'DISCOVERY_DATABASE_URL',
  prioritization: 'PRIORITIZATION_DATABASE_URL',
  approval: 'APPROVAL_DATABASE_URL',
  deployment: 'DEPLOYMENT_DATABASE_URL',
  reporting: 'REPORTING_DATABASE_URL',
} as const satisfies Record<ServiceName, keyof Static<typeof Environment>>;

const POSTGRES_VARIABLES = [
  'DATABASE_URL',
  'BUS_DATABASE_URL',
  ...Object.values(DATABASE_VARIABLES),
] as const;

export type StandaloneConfig = Readonly<{
  /** Which services this process hosts. */
  services: readonly ServiceName[];
  instance: string;
  /** An administrator's; `null` starts a server of its own for whatever has no URL here. */
  databaseUrl: string | null;
  databaseUrls: ReadonlyMap<ServiceName, string>;
  busUrl: string | null;
  /** The bus is in Kafka if this is set, else in PostgreSQL. */
  kafka: KafkaConfig | null;
  eventStoreUrl: string | null;
  postgres: 'auto' | 'embedded' | 'installed';
  dataDir: string;
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** `null`: tokens of the local issuer. */
  auth: TokenVerifierOptions | null;
  /** Without endpoint and port there is none. */
  telemetry: Readonly<{
    otlpEndpoint: string | null;
    metricsPort: number | null;
    traceRatio: number;
  }>;
}>;

/** @throws ConfigError naming each variable and the rule it breaks, never its value */
export function standaloneConfig(env: Variables = process.env): StandaloneConfig {
  const read = readConfig(env, Environment, { others: OF_COMMANDS });
  return Object.freeze({
    services: servicesOf(read.PATCHTRAIL_SERVICES),
    instance: read.PATCHTRAIL_INSTANCE ?? 'patchtrail',
    ...placesOf(read),
    kafka: kafkaOf(env),
    postgres: CHOICES.find((choice) => choice === read.PATCHTRAIL_POSTGRES) ?? 'auto',
    dataDir: resolve(read.PATCHTRAIL_DATA_DIR ?? join(process.cwd(), '.patchtrail')),
    host: read.PATCHTRAIL_HOST ?? '127.0.0.1',
    port: read.PATCHTRAIL_PORT ?? 8080,
    auth: authOf(read),
    telemetry: telemetryOf(read),
  });
}

function servicesOf(text: string | undefined): readonly ServiceName[] {
  if (text === undefined) return SERVICE_NAMES;
  const wanted = text.split(',').map((name) => name.trim());
  const chosen = SERVICE_NAMES.filter((name) => wanted.includes(name));
  if (chosen.length === wanted.length) return chosen;
  const rule = `must be different names of ${SERVICE_NAMES.join(', ')} with commas between them`;
  throw new ConfigError([{ variable: 'PATCHTRAIL_SERVICES', rule }]);
}

function kafkaOf(env: Variables): KafkaConfig | null {
  try {
    return kafkaConfig(env);
  } catch (error) {
    throw error instanceof KafkaConfigError ? new ConfigError(error.issues) : error;
  }
}

function telemetryOf(read: Static<typeof Environment>): StandaloneConfig['telemetry'] {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = read;
  if (endpoint !== undefined) parsedUrl('OTEL_EXPORTER_OTLP_ENDPOINT', endpoint);
  return {
    otlpEndpoint: endpoint?.replace(/\/+$/, '') ?? null,
    metricsPort: read.PATCHTRAIL_METRICS_PORT ?? null,
    traceRatio: read.OTEL_TRACES_SAMPLER_ARG ?? 1,
  };
}

/** Where the data is kept. */
function placesOf(read: Static<typeof Environment>) {
  for (const variable of POSTGRES_VARIABLES) {
    const text = read[variable];
    if (text !== undefined) parsedUrl(variable, text);
  }
  return {
    databaseUrl: read.DATABASE_URL ?? null,
    databaseUrls: databaseUrlsOf(read),
    busUrl: read.BUS_DATABASE_URL ?? null,
    eventStoreUrl: read.EVENT_STORE_URL ?? null,
  };
}

function databaseUrlsOf(read: Static<typeof Environment>): ReadonlyMap<ServiceName, string> {
  return new Map(
    SERVICE_NAMES.flatMap((name) => {
      const url = read[DATABASE_VARIABLES[name]];
      return url === undefined ? [] : [[name, url] as const];
    }),
  );
}

function authOf(read: Static<typeof Environment>): TokenVerifierOptions | null {
  const { AUTH_JWKS: jwks, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = read;
  if (jwks === undefined && issuer === undefined && audience === undefined) return null;
  if (jwks === undefined || issuer === undefined || audience === undefined) {
    const rule = 'AUTH_JWKS, AUTH_ISSUER and AUTH_AUDIENCE are set together or not at all';
    throw new ConfigError([{ variable: 'AUTH_JWKS', rule }]);
  }
  return { jwks: keySetOf(jwks), issuer, audience };
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** Keys that come over a network in the clear could be anybody's. */
function keySetOf(text: string): URL | string {
  if (!/^[a-z][a-z0-9+.-]*:/i.test(text)) return resolve(text);
  const url = parsedUrl('AUTH_JWKS', text);
  const isLoopback = url.protocol === 'http:' && LOOPBACK.includes(url.hostname);
  if (url.protocol === 'https:' || isLoopback) return url;
  const rule = 'must be a path, an https URL, or an http URL on the loopback interface';
  throw new ConfigError([{ variable: 'AUTH_JWKS', rule }]);
}

function parsedUrl(variable: string, text: string): URL {
  const url = URL.parse(text);
  if (url !== null) return url;
  throw new ConfigError([{ variable, rule: 'must be a valid URL' }]);
}
