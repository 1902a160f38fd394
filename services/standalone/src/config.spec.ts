import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConfigError } from '@patchtrail/platform';
import { standaloneConfig } from './config.js';

const auth = { AUTH_JWKS: '/etc/keys.json', AUTH_ISSUER: 'https://id', AUTH_AUDIENCE: 'api' };
const SECRET = 's3cr3t';

function refusalOf(env: Readonly<Record<string, string>>): ConfigError {
  try {
    standaloneConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('It was taken.');
}

describe('the configuration of the standalone profile', () => {
  it('may be empty', () => {
    expect(standaloneConfig({})).toEqual({
      services: ['discovery', 'prioritization', 'approval', 'deployment', 'reporting'],
      instance: 'patchtrail',
      databaseUrl: null,
      databaseUrls: new Map(),
      busUrl: null,
      kafka: null,
      eventStoreUrl: null,
      postgres: 'auto',
      dataDir: resolve('.patchtrail'),
      host: '127.0.0.1',
      port: 8080,
      auth: null,
      telemetry: { otlpEndpoint: null, metricsPort: null, traceRatio: 1 },
    });
  });

  it('takes every variable', () => {
    const config = standaloneConfig({
      ...auth,
      DATABASE_URL: 'postgres://user:word@db.example:5432/postgres',
      DISCOVERY_DATABASE_URL: 'postgres://discovery@db.example/discovery',
      PRIORITIZATION_DATABASE_URL: 'postgres://prioritization@db.example/prioritization',
      APPROVAL_DATABASE_URL: 'postgres://approval@db.example/approval',
      DEPLOYMENT_DATABASE_URL: 'postgres://deployment@db.example/deployment',
      REPORTING_DATABASE_URL: 'postgres://reporting@db.example/reporting',
      BUS_DATABASE_URL: 'postgresql://bus@db.example/bus',
      EVENT_STORE_URL: 'esdb+discover://user:word@store.example:2113?tls=true',
      PATCHTRAIL_SERVICES: 'deployment, approval',
      PATCHTRAIL_INSTANCE: 'deployment-2',
      KAFKA_BROKERS: 'kafka.example:9092',
      KAFKA_PREFIX: 'staging.',
      PATCHTRAIL_POSTGRES: 'embedded',
      PATCHTRAIL_DATA_DIR: '/srv/data',
      PATCHTRAIL_HOST: '::1',
      PATCHTRAIL_PORT: '0',
      PATCHTRAIL_METRICS_PORT: '9464',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.example:4318/',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      HOME: '/root',
    });
    expect(config).toEqual({
      services: ['approval', 'deployment'],
      instance: 'deployment-2',
      databaseUrl: 'postgres://user:word@db.example:5432/postgres',
      databaseUrls: new Map([
        ['discovery', 'postgres://discovery@db.example/discovery'],
        ['prioritization', 'postgres://prioritization@db.example/prioritization'],
        ['approval', 'postgres://approval@db.example/approval'],
        ['deployment', 'postgres://deployment@db.example/deployment'],
        ['reporting', 'postgres://reporting@db.example/reporting'],
      ]),
      busUrl: 'postgresql://bus@db.example/bus',
      kafka: { brokers: ['kafka.example:9092'], ssl: false, topics: {}, prefix: 'staging.' },
      eventStoreUrl: 'esdb+discover://user:word@store.example:2113?tls=true',
      postgres: 'embedded',
      dataDir: '/srv/data',
      host: '::1',
      port: 0,
      auth: { jwks: '/etc/keys.json', issuer: 'https://id', audience: 'api' },
      telemetry: {
        otlpEndpoint: 'http://collector.example:4318',
        metricsPort: 9464,
        traceRatio: 0.25,
      },
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it.each(['https://id.example/keys', 'http://127.0.0.1:9/keys', 'http://[::1]:9/keys'])(
    'takes keys from %s',
    (jwks) => {
      expect(standaloneConfig({ ...auth, AUTH_JWKS: jwks }).auth?.jwks).toEqual(new URL(jwks));
    },
  );

  it.each([
    [{ DATABASE_URL: `mysql://u:${SECRET}@h/d` }, 'DATABASE_URL', /postgres/],
    [{ DATABASE_URL: `postgres://u:${SECRET}@h:port/d` }, 'DATABASE_URL', /valid URL/],
    [{ APPROVAL_DATABASE_URL: `mysql://${SECRET}` }, 'APPROVAL_DATABASE_URL', /postgres/],
    [{ BUS_DATABASE_URL: `postgres://u:${SECRET}@h:port/d` }, 'BUS_DATABASE_URL', /valid URL/],
    [{ EVENT_STORE_URL: `redis://u:${SECRET}@h` }, 'EVENT_STORE_URL', /esdb/],
    [{ EVENT_STORE_URL: `memory:${SECRET}` }, 'EVENT_STORE_URL', /esdb/],
    [{ PATCHTRAIL_SERVICES: `approval,${SECRET}` }, 'PATCHTRAIL_SERVICES', /names of discovery/],
    [{ PATCHTRAIL_SERVICES: 'approval,approval' }, 'PATCHTRAIL_SERVICES', /different/],
    [{ PATCHTRAIL_INSTANCE: `${SECRET}/` }, 'PATCHTRAIL_INSTANCE', /match/],
    [{ KAFKA_BROKERS: `${SECRET}:port` }, 'KAFKA_BROKERS', /host:port/],
    [{ KAFKA_SASL_PASSWORD: SECRET }, 'KAFKA_SASL_PASSWORD', /needs KAFKA_BROKERS/],
    [{ PATCHTRAIL_METRICS_PORT: SECRET }, 'PATCHTRAIL_METRICS_PORT', /integer/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: SECRET }, 'OTEL_EXPORTER_OTLP_ENDPOINT', /http/],
    [{ OTEL_TRACES_SAMPLER_ARG: '1.5' }, 'OTEL_TRACES_SAMPLER_ARG', /1/],
    [{ PATCHTRAIL_POSTGRES: SECRET }, 'PATCHTRAIL_POSTGRES', /./],
    [{ PATCHTRAIL_HOST: `${SECRET}/24` }, 'PATCHTRAIL_HOST', /match/],
    [{ PATCHTRAIL_PORT: '65536' }, 'PATCHTRAIL_PORT', /65535/],
    [{ PATCHTRAIL_PORT: '-1' }, 'PATCHTRAIL_PORT', /0/],
    [{ PATCHTRAIL_PORT: SECRET }, 'PATCHTRAIL_PORT', /integer/],
    [{ PATCHTRAIL_PROT: SECRET }, 'PATCHTRAIL_PROT', /not a known variable/],
    [{ ...auth, AUTH_JWKS: `http://id.example/${SECRET}` }, 'AUTH_JWKS', /https/],
    [{ ...auth, AUTH_JWKS: `ftp://id.example/${SECRET}` }, 'AUTH_JWKS', /https/],
    [{ ...auth, AUTH_JWKS: `https://${SECRET}:port` }, 'AUTH_JWKS', /valid URL/],
    [{ ...auth, AUTH_JWKS: '' }, 'AUTH_JWKS', /together or not at all/],
    [{ ...auth, AUTH_ISSUER: '' }, 'AUTH_JWKS', /AUTH_ISSUER.*together or not at all/],
    [{ ...auth, AUTH_AUDIENCE: '' }, 'AUTH_JWKS', /AUTH_AUDIENCE.*together or not at all/],
  ])('is refused by variable and rule, without the value: %j', (env, variable, rule) => {
    const { issues, message } = refusalOf(env);
    expect(issues.map((issue) => issue.variable)).toEqual([variable]);
    expect(issues[0]?.rule).toMatch(rule);
    expect(message).toContain(variable);
    expect(message).not.toContain(SECRET);
  });

  it('leaves alone what is for commands', () => {
    const env = { PATCHTRAIL_URL: 'http://127.0.0.1:8080', PATCHTRAIL_TOKEN: SECRET };
    expect(standaloneConfig(env)).toEqual(standaloneConfig({}));
  });

  it('is refused by all that is wrong with it at once', () => {
    const { issues } = refusalOf({ PATCHTRAIL_PORT: 'x', PATCHTRAIL_POSTGRES: 'y' });
    expect(issues.map(({ variable }) => variable)).toEqual([
      'PATCHTRAIL_POSTGRES',
      'PATCHTRAIL_PORT',
    ]);
  });
});

const HOST_NODE = '/usr/bin/node';
const FAKE = 'process, "versions", { value: { ...process.versions, node: "22.11.0" } }';
const FAKED = ['--import', `data:text/javascript,Object.defineProperty(${FAKE})`];

/** This Node under another version number, and the host's own if it really is older. */
function olderNodes(): readonly (readonly [string, string, readonly string[]])[] {
  const faked = ['22.11.0', process.execPath, FAKED] as const;
  if (!existsSync(HOST_NODE)) return [faked];
  const version = spawnSync(HOST_NODE, ['--version'], { encoding: 'utf8' }).stdout.trim().slice(1);
  return Number(version.split('.')[0]) < 24 ? [faked, [version, HOST_NODE, []]] : [faked];
}

describe('a Node that is too old', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'patchtrail-older-'));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    // Both are plain JavaScript but for their names; what the guard keeps away is not there.
    for (const name of ['main', 'require-node']) {
      const source = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
      await copyFile(source, join(folder, `${name}.js`));
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(olderNodes())(
    'is told what is needed before it loads a thing: %s',
    (version, ...node) => {
      const [file, options] = node;
      const run = spawnSync(file, [...options, join(folder, 'main.js')], { encoding: 'utf8' });
      expect(run.stderr).toContain(`Patchtrail needs Node 24 or newer; this is Node ${version}.`);
      expect(run.stderr).toContain('npm start');
      expect(run.stdout).toBe('');
      expect(run.status).toBe(1);
    },
  );

  it('is anything below 24', () => {
    const run = spawnSync(process.execPath, [join(folder, 'require-node.js')]);
    expect(run.status).toBe(0);
  });
});

describe('the page about configuration', () => {
  const readers = [
    'services/standalone/src/config.ts',
    'services/standalone/src/cli/config.ts',
    'services/standalone/src/front-door/config.ts',
    'services/discovery/src/config.ts',
    'services/standalone/src/front-door/config.ts',
    'libs/messaging/src/kafka/config.ts',
  ];
  const inRoot = (path: string) => new URL(`../../../${path}`, import.meta.url);

  it.each(readers)('names every variable that %s reads', async (reader) => {
    const page = await readFile(inRoot('docs/configuration.md'), 'utf8');
    const code = await readFile(inRoot(reader), 'utf8');
    const variables = code.match(/\b[A-Z]+(_[A-Z]+)*_[A-Z]+(?=['"]|: (?:Type\.|ORIGIN))/g) ?? [];
    expect(variables.length).toBeGreaterThan(1);
    expect(variables.filter((variable) => !page.includes(`\`${variable}\``))).toEqual([]);
  });
});
