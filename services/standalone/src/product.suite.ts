import { readdir, readFile, readlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createLocalIssuer, type Role } from '@patchtrail/auth';
import { type Database, openDatabase } from '@patchtrail/postgres';
import { type Exit, runScript, type RunningScript } from '@patchtrail/testing';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { type Client, clientFor } from './demo/client.js';

export type Product = Readonly<{
  url: string;
  script: RunningScript;
  as: (name: string, roles: readonly Role[]) => Promise<Client>;
  /** SIGTERM, and the exit that follows. */
  stop: () => Promise<Exit>;
}>;

export type ProductOptions = Readonly<{
  dataDir: string;
  /** The port of an earlier start; a free one unless told. */
  port?: string;
  /** `main.ts` unless told. */
  entry?: string;
  args?: readonly string[];
  env?: Readonly<Record<string, string>>;
}>;

const START_MS_MAX = 240_000;

/** Its own server and its own data, whatever the test run works on. */
export const OF_THE_TEST_RUN = {
  DATABASE_URL: undefined,
  EVENT_STORE_URL: undefined,
  KAFKA_BROKERS: undefined,
  PATCHTRAIL_TEST_DATABASE_URL: undefined,
  PATCHTRAIL_TEST_POSTGRES_OFFER: undefined,
  PATCHTRAIL_TEST_KAFKA: undefined,
  PATCHTRAIL_TEST_KAFKA_BROKERS: undefined,
  PATCHTRAIL_TEST_KAFKA_OFFER: undefined,
};

export function runProduct(options: ProductOptions): RunningScript {
  const { dataDir, port = '0', entry = 'main.ts', args = [], env = {} } = options;
  return runScript(new URL(entry, import.meta.url), {
    args,
    env: {
      ...OF_THE_TEST_RUN,
      PATCHTRAIL_DATA_DIR: dataDir,
      PATCHTRAIL_PORT: port,
      ...env,
    },
  });
}

/** The standalone profile in a process of its own, as `npm start` runs it, but from source. */
export async function startProduct(options: ProductOptions): Promise<Product> {
  const script = runProduct(options);
  const ready = await script
    .line(/^Patchtrail is ready at /, START_MS_MAX)
    .catch(async (error: unknown) => {
      await script.kill();
      throw error;
    });
  const url = /at (\S+)/.exec(ready)?.[1] ?? '';
  const issuer = await createLocalIssuer(join(options.dataDir, 'issuer'));
  return {
    url,
    script,
    as: async (sub, roles) =>
      clientFor(url, await issuer.mint({ sub, roles, departments: ['*'], ttlSeconds: 3_600 })),
    stop: () => script.kill('SIGTERM'),
  };
}

const Note = Type.Object({ folder: Type.String() });

/** Where the server of a data folder keeps its files. */
export async function serverFolder(dataDir: string): Promise<string> {
  const own = join(dataDir, 'postgres');
  const note: unknown = JSON.parse(await readFile(join(own, 'postgres.json'), 'utf8'));
  return resolve(own, Value.Decode(Note, note).folder);
}

/** The database as its administrator, past the product, whether the product runs or was killed. */
export async function openAsAdmin(dataDir: string, database: string): Promise<Database> {
  const folder = await serverFolder(dataDir);
  const password = (await readFile(join(folder, 'password'), 'utf8')).trim();
  const data = (await readdir(folder)).find((name) => /^(?:embedded|installed)-\d+$/.test(name));
  const [, , , port = ''] = (await readFile(join(folder, data ?? '', 'postmaster.pid'), 'utf8'))
    .split('\n')
    .map((line) => line.trim());
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/${database}`;
  return openDatabase({ url, applicationName: 'spec', poolMax: 1 });
}

/** Server processes that work in the data folder. */
export async function serverProcesses(dataDir: string): Promise<readonly string[]> {
  const folder = await serverFolder(dataDir);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const places = await Promise.all(
    pids.map(async (pid) => ({ pid, cwd: await readlink(`/proc/${pid}/cwd`).catch(() => '') })),
  );
  return places.filter(({ cwd }) => cwd.startsWith(folder)).map(({ pid }) => pid);
}
