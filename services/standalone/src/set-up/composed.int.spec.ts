import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createLogger } from '@patchtrail/platform';
import { removePostgres, type RunningPostgres, startPostgres } from '@patchtrail/postgres';
import { eventually, runScript, type RunningScript } from '@patchtrail/testing';
import { type EventStoreDbDouble, startEventStoreDb } from '@patchtrail/testing/eventstoredb';
import { missingKafka, testBrokers } from '@patchtrail/testing/kafka';
import { lane } from '@patchtrail/testing/lane';
import { clientFor } from '../demo/client.js';
import { OF_THE_TEST_RUN } from '../product.suite.js';
import { SERVICE_NAMES } from '../services.js';
import {
  type ComposeService,
  environmentOf,
  inRoot,
  ownServices,
  textOf,
} from './compose.suite.js';

const START_MS_MAX = 300_000;

lane('what docker-compose.yml starts, without its containers', await missingKafka(), () => {
  const scripts: RunningScript[] = [];
  let workDir: string;
  let postgres: RunningPostgres;
  let streams: EventStoreDbDouble;
  let own: ReadonlyMap<string, ComposeService>;
  /** What a name of a container stands for here. */
  let places: [string, string][];
  beforeAll(async () => {
    workDir = await mkdtemp(join(tmpdir(), 'patchtrail-compose-'));
    own = await ownServices();
    const log = createLogger('compose-spec', 'silent');
    postgres = await startPostgres({ dataDir: join(workDir, 'postgres'), choice: 'auto', log });
    streams = await startEventStoreDb();
    const [broker = ''] = await testBrokers();
    places = [
      ['@postgres/', `@${new URL(postgres.adminUrl).host}/`],
      ['eventstoredb:2113', `${streams.host}:${streams.port}`],
      ['kafka:9092', broker],
      ['/data/', `${workDir}/`],
    ];
  }, START_MS_MAX);
  afterAll(async () => {
    await Promise.all(scripts.map((script) => script.kill()));
    await streams.stop();
    await postgres.stop();
    await removePostgres(join(workDir, 'postgres'));
    await rm(workDir, { recursive: true, force: true });
  });

  const passwordOf = (variable: string) => {
    if (variable !== 'POSTGRES_PASSWORD') return `of-${variable}`;
    return decodeURIComponent(new URL(postgres.adminUrl).password);
  };
  const KAFKA_PREFIX = `composed-${randomUUID().slice(0, 8)}.`;

  const here = (text: string) =>
    places.reduce((left, [there, place]) => left.replace(there, place), text);
  const run = (name: string): RunningScript => {
    const service = own.get(name);
    if (service === undefined) throw new Error(`There is no service ${name}.`);
    const given = Object.entries(environmentOf(service, passwordOf)).map(
      ([variable, text]) => [variable, here(text)] as const,
    );
    const env = {
      ...{ ...OF_THE_TEST_RUN, PATCHTRAIL_POSTGRES: undefined },
      ...{ PATCHTRAIL_HOST: '127.0.0.1', PATCHTRAIL_PORT: '0' },
      ...{ PATCHTRAIL_DATA_DIR: workDir, ...Object.fromEntries(given) },
      ...(service.environment?.['KAFKA_BROKERS'] === undefined ? {} : { KAFKA_PREFIX }),
    };
    const file = service.command?.[1]?.replace('services/standalone/dist/', '') ?? 'main.js';
    const script = runScript(new URL(`../${file.replace(/\.js$/, '.ts')}`, import.meta.url), {
      env,
    });
    scripts.push(script);
    return script;
  };
  const urlOf = async (script: RunningScript) => {
    return /http\S+/.exec(await script.line(/ is ready at http/, START_MS_MAX))?.[0] ?? '';
  };
  const tokenAsTheReadmeSays = async () => {
    const command = /docker compose run --rm set-up node (\S+) (.+)$/m.exec(
      await textOf('README.md'),
    );
    const [, program = '', args = ''] = command ?? [];
    const source = program.replace('/dist/', '/src/').replace(/\.js$/, '.ts');
    const script = runScript(inRoot(source), { args: here(args).replaceAll("'", '').split(' ') });
    expect(await script.exited).toEqual({ code: 0, signal: null });
    return script.lines()[0] ?? '';
  };
  const setUp = async () => {
    const script = run('set-up');
    expect(await script.exited).toEqual({ code: 0, signal: null });
    return script.lines();
  };

  it(
    'is set up, also a second time while it runs, and answers through the front door',
    async () => {
      const databases = SERVICE_NAMES.map((name) => `patchtrail_${name}`).join(', ');
      expect(await setUp()).toEqual([
        `Databases are ready: ${databases}`,
        `The local issuer is ready: ${workDir}/issuer/jwks.json`,
      ]);
      const processes = SERVICE_NAMES.map((name) => [name, run(name)] as const);
      for (const [name, script] of processes) {
        places.push([`http://${name}:8080`, await urlOf(script)]);
      }
      const door = await urlOf(run('front-door'));
      await eventually(async () => expect((await fetch(`${door}/health/ready`)).status).toBe(200), {
        deadlineMs: START_MS_MAX,
        everyMs: 100,
      });
      expect(await setUp()).toHaveLength(2);

      const pat = clientFor(door, await tokenAsTheReadmeSays());
      const ring = { selector: {}, bakeMs: 0, deadlineMs: 600_000 };
      const gate = { successPercentMin: 100, failuresMax: 0 };
      const { body } = await pat.post<{ templateId: string }>('/v1/plan-templates', {
        ...{ name: 'All at once', leaseMs: 300_000, rollback: 'automatic' },
        rings: [{ name: 'all', ...ring, gate, cap: { unit: 'percent', value: 100 } }],
        retry: { attemptsMax: 1, backoffMs: 1_000 },
      });
      const shown = () => pat.get(`/v1/plan-templates/${body.templateId}`);
      expect((await eventually(shown)).body).toMatchObject({ data: { name: 'All at once' } });
      for (const name of SERVICE_NAMES) {
        expect((await fetch(`${door}/openapi/${name}.json`)).status).toBe(200);
      }
    },
    START_MS_MAX,
  );
});
