import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kafkaConfig } from './config.js';

const BROKERS = { KAFKA_BROKERS: 'one:9092' };
const SCRAM = {
  ...BROKERS,
  KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
  KAFKA_SASL_USERNAME: 'pat',
  KAFKA_SASL_PASSWORD: 'secret-word',
};

describe('the configuration of Kafka', () => {
  let folder: string;
  let file: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'patchtrail-pem-'));
    file = join(folder, 'a.pem');
    await writeFile(file, '-----BEGIN CERTIFICATE-----\n');
    await writeFile(join(folder, 'not.pem'), 'hello');
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is none without brokers', () => {
    expect(kafkaConfig({})).toBeNull();
    expect(kafkaConfig({ KAFKA_BROKERS: '', KAFKA_SSL: '' })).toBeNull();
  });

  it('takes brokers alone', () => {
    expect(kafkaConfig({ KAFKA_BROKERS: 'one:9092, 10.0.0.2:9093' })).toEqual({
      brokers: ['one:9092', '10.0.0.2:9093'],
      ssl: false,
      topics: {},
      prefix: '',
    });
  });

  it('takes everything', () => {
    const config = kafkaConfig({
      ...SCRAM,
      KAFKA_CLIENT_ID: 'approval-1',
      KAFKA_PREFIX: 'acceptance.',
      KAFKA_SSL_CA: file,
      KAFKA_SSL_CERT: file,
      KAFKA_SSL_KEY: file,
      KAFKA_REPLICATION: '3',
      KAFKA_RETENTION_HOURS: '720',
    });
    const pem = '-----BEGIN CERTIFICATE-----\n';
    expect(config).toEqual({
      brokers: ['one:9092'],
      clientId: 'approval-1',
      ssl: { ca: pem, cert: pem, key: pem },
      sasl: { mechanism: 'scram-sha-512', username: 'pat', password: 'secret-word' },
      topics: { replication: 3, retentionMs: 2_592_000_000 },
      prefix: 'acceptance.',
    });
  });

  it('encrypts with the authorities of the host', () => {
    expect(kafkaConfig({ ...BROKERS, KAFKA_SSL: 'true' })?.ssl).toBe(true);
  });

  it.each<[string, Record<string, string>]>([
    ['KAFKA_BROKERS: must be host:port', { KAFKA_BROKERS: 'one' }],
    ['KAFKA_BROKERS: must be host:port', { KAFKA_BROKERS: 'one:9092,' }],
    ['KAFKA_BROKERS: must be host:port', { KAFKA_BROKERS: 'one:70000' }],
    ['KAFKA_BROKERS: must be host:port', { KAFKA_BROKERS: 'kafka://one:9092' }],
    ['KAFKA_CLIENT_ID: must be 1 to 100', { ...BROKERS, KAFKA_CLIENT_ID: 'a b' }],
    ['KAFKA_PREFIX: must be 1 to 40', { ...BROKERS, KAFKA_PREFIX: 'a/b' }],
    ['KAFKA_SSL: must be true or false', { ...BROKERS, KAFKA_SSL: 'yes' }],
    ['KAFKA_SSL_CA: must be the path', { ...BROKERS, KAFKA_SSL_CA: '/nowhere/ca.pem' }],
    ['KAFKA_SASL_MECHANISM: must be plain,', { ...SCRAM, KAFKA_SASL_MECHANISM: 'gssapi' }],
    ['KAFKA_SASL_MECHANISM: plain sends', { ...SCRAM, KAFKA_SASL_MECHANISM: 'plain' }],
    ['KAFKA_SASL_MECHANISM: is set together', { ...BROKERS, KAFKA_SASL_USERNAME: 'pat' }],
    ['KAFKA_SASL_USERNAME: must be set', { ...SCRAM, KAFKA_SASL_USERNAME: '' }],
    ['KAFKA_SASL_PASSWORD: must be set', { ...SCRAM, KAFKA_SASL_PASSWORD: '' }],
    ['KAFKA_REPLICATION: must be a whole', { ...BROKERS, KAFKA_REPLICATION: '0' }],
    ['KAFKA_RETENTION_HOURS: must be a whole', { ...BROKERS, KAFKA_RETENTION_HOURS: '1.5' }],
    ['KAFKA_SSL: needs KAFKA_BROKERS', { KAFKA_SSL: 'true' }],
  ])('refuses: %s', (text, env) => {
    expect(() => kafkaConfig(env)).toThrow(expect.objectContaining({ name: 'KafkaConfigError' }));
    expect(() => kafkaConfig(env)).toThrow(text);
  });

  it('refuses a certificate without its key, and one that is none', () => {
    expect(() => kafkaConfig({ ...BROKERS, KAFKA_SSL_CERT: file })).toThrow(/KAFKA_SSL_CERT: /);
    const none = { ...BROKERS, KAFKA_SSL_CA: join(folder, 'not.pem') };
    expect(() => kafkaConfig(none)).toThrow(/KAFKA_SSL_CA: must be the path of a PEM/);
    const off = { ...BROKERS, KAFKA_SSL: 'false', KAFKA_SSL_CA: file };
    expect(() => kafkaConfig(off)).toThrow('KAFKA_SSL: must be true with certificates');
  });

  it('names all that is wrong, and no value', () => {
    const env = { ...SCRAM, KAFKA_BROKERS: 'secret-host', KAFKA_SASL_MECHANISM: 'plain' };
    expect(() => kafkaConfig(env)).toThrow(/KAFKA_SASL_MECHANISM.*KAFKA_BROKERS/);
    expect(() => kafkaConfig(env)).not.toThrow(/secret/);
  });
});
