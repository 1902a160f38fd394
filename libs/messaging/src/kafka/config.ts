import type { SASLOptions } from 'kafkajs';
import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { KafkaConnection } from './client.js';
import type { TopicSettings } from './topics.js';

export type KafkaConfig = KafkaConnection & Readonly<{ topics: TopicSettings; prefix: string }>;

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables that break their rules, all of them; never with their values. */
export class KafkaConfigError extends Error {
  constructor(readonly issues: readonly Readonly<{ variable: string; rule: string }>[]) {
    super(issues.map(({ variable, rule }) => `${variable}: ${rule}`).join('; '));
    this.name = 'KafkaConfigError';
  }
}

/** What openKafkaBus needs besides KAFKA_BROKERS, which decides whether there is a Kafka at all. */
const OTHERS = [
  'KAFKA_CLIENT_ID',
  'KAFKA_PREFIX',
  'KAFKA_SSL',
  'KAFKA_SSL_CA',
  'KAFKA_SSL_CERT',
  'KAFKA_SSL_KEY',
  'KAFKA_SASL_MECHANISM',
  'KAFKA_SASL_USERNAME',
  'KAFKA_SASL_PASSWORD',
  'KAFKA_REPLICATION',
  'KAFKA_RETENTION_HOURS',
] as const;

type Variable = 'KAFKA_BROKERS' | (typeof OTHERS)[number];

const ADDRESS = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}):(\d{1,5})$/;
const PASSWORD_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
const HOUR_MS = 3_600_000;
const REPLICATION_MAX = 15;
const RETENTION_HOURS_MAX = 1_000_000;

/**
 * Where Kafka is, from the variables `KAFKA_…`; null without `KAFKA_BROKERS`. Certificates are PEM
 * files, read once. An empty variable counts as not set.
 * @throws KafkaConfigError
 */
export function kafkaConfig(env: Environment = process.env): KafkaConfig | null {
  const issues: { variable: string; rule: string }[] = [];
  const reader: Reader = {
    get: (variable) => (env[variable] === '' ? undefined : env[variable]),
    wrong: (variable, rule) => {
      issues.push({ variable, rule });
    },
  };
  const config = reader.get('KAFKA_BROKERS') === undefined ? null : configOf(reader);
  if (config === null) refuseOthers(reader);
  if (issues.length > 0) throw new KafkaConfigError(issues);
  return config;
}

type Reader = Readonly<{
  get: (variable: Variable) => string | undefined;
  wrong: (variable: Variable, rule: string) => void;
}>;

/** Settings of a Kafka that is not used are a misspelling of KAFKA_BROKERS, or worse. */
function refuseOthers({ get, wrong }: Reader): void {
  for (const variable of OTHERS) {
    if (get(variable) !== undefined) wrong(variable, 'needs KAFKA_BROKERS');
  }
}

function configOf(reader: Reader): KafkaConfig {
  const clientId = reader.get('KAFKA_CLIENT_ID');
  if (clientId !== undefined && !/^[A-Za-z0-9._-]{1,100}$/.test(clientId)) {
    reader.wrong('KAFKA_CLIENT_ID', 'must be 1 to 100 of a-z, A-Z, 0-9, dot, underscore and dash');
  }
  const prefix = reader.get('KAFKA_PREFIX') ?? '';
  if (!/^[A-Za-z0-9._-]{0,40}$/.test(prefix)) {
    reader.wrong('KAFKA_PREFIX', 'must be 1 to 40 of a-z, A-Z, 0-9, dot, underscore and dash');
  }
  const ssl = sslOf(reader);
  const sasl = saslOf(reader, ssl !== false);
  return Object.freeze({
    brokers: brokersOf(reader),
    ...(clientId === undefined ? {} : { clientId }),
    ssl,
    ...(sasl === null ? {} : { sasl }),
    topics: topicsOf(reader),
    prefix,
  });
}

function brokersOf({ get, wrong }: Reader): readonly string[] {
  const brokers = (get('KAFKA_BROKERS') ?? '').split(',').map((text) => text.trim());
  const isWrong = (address: string) => {
    const port = Number(ADDRESS.exec(address)?.[2] ?? 0);
    return port < 1 || port > 65_535;
  };
  if (brokers.some(isWrong)) {
    wrong('KAFKA_BROKERS', 'must be host:port, several of them separated by commas');
  }
  return brokers;
}

function sslOf(reader: Reader): boolean | ConnectionOptions {
  const { get, wrong } = reader;
  const files = {
    ca: pem(reader, 'KAFKA_SSL_CA'),
    cert: pem(reader, 'KAFKA_SSL_CERT'),
    key: pem(reader, 'KAFKA_SSL_KEY'),
  };
  if ((files.cert === undefined) !== (files.key === undefined)) {
    wrong('KAFKA_SSL_CERT', 'is set together with KAFKA_SSL_KEY or not at all');
  }
  const given = Object.entries(files).filter(([, text]) => text !== undefined);
  const text = get('KAFKA_SSL') ?? (given.length > 0 ? 'true' : 'false');
  if (text !== 'true' && text !== 'false') wrong('KAFKA_SSL', 'must be true or false');
  if (text === 'false' && given.length > 0) wrong('KAFKA_SSL', 'must be true with certificates');
  return given.length > 0 ? Object.fromEntries(given) : text === 'true';
}

function pem({ get, wrong }: Reader, variable: Variable): string | undefined {
  const path = get(variable);
  if (path === undefined) return undefined;
  try {
    const text = readFileSync(path, 'utf8');
    if (text.includes('-----BEGIN ')) return text;
  } catch {
    // The rule says it.
  }
  wrong(variable, 'must be the path of a PEM file that can be read');
  return '';
}

function saslOf(reader: Reader, isEncrypted: boolean): SASLOptions | null {
  const { get, wrong } = reader;
  const [username = '', password = ''] = [get('KAFKA_SASL_USERNAME'), get('KAFKA_SASL_PASSWORD')];
  if (get('KAFKA_SASL_MECHANISM') === undefined) {
    if (username === '' && password === '') return null;
    wrong('KAFKA_SASL_MECHANISM', 'is set together with KAFKA_SASL_USERNAME and …_PASSWORD');
    return null;
  }
  if (username === '') wrong('KAFKA_SASL_USERNAME', 'must be set');
  if (password === '') wrong('KAFKA_SASL_PASSWORD', 'must be set');
  const mechanism = mechanismOf(reader, isEncrypted);
  return mechanism === null ? null : { mechanism, username, password };
}

function mechanismOf({ get, wrong }: Reader, isEncrypted: boolean) {
  const given = get('KAFKA_SASL_MECHANISM')?.toLowerCase();
  const mechanism = PASSWORD_MECHANISMS.find((name) => name === given) ?? null;
  if (mechanism === null) {
    wrong('KAFKA_SASL_MECHANISM', `must be ${PASSWORD_MECHANISMS.join(', ')}`);
  }
  if (mechanism === 'plain' && !isEncrypted) {
    wrong('KAFKA_SASL_MECHANISM', 'plain sends the password as it is and needs KAFKA_SSL=true');
  }
  return mechanism;
}

function topicsOf(reader: Reader): TopicSettings {
  const replication = wholeNumber(reader, 'KAFKA_REPLICATION', REPLICATION_MAX);
  const hours = wholeNumber(reader, 'KAFKA_RETENTION_HOURS', RETENTION_HOURS_MAX);
  return {
    ...(replication === undefined ? {} : { replication }),
    ...(hours === undefined ? {} : { retentionMs: hours * HOUR_MS }),
  };
}

function wholeNumber({ get, wrong }: Reader, variable: Variable, max: number): number | undefined {
  const text = get(variable);
  if (text === undefined) return undefined;
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > max)
    wrong(variable, `must be a whole number from 1 to ${String(max)}`);
  return number;
}
