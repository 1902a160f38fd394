import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { removePostgres } from '@patchtrail/postgres';
import { UNTIL_INPUT_ENDS } from '../until-input-ends.js';
import { type Client, clientFor } from './client.js';
import { childEnvironment } from './config.js';
import type { Profile } from './options.js';

/** What the product says it runs on. */
export type Announced = Readonly<{ url: string; bus: string; eventStore: string }>;

export type Product = Announced &
  Readonly<{
    profile: Profile;
    /** The public API as somebody with these roles. */
    as: (person: Person) => Promise<Client>;
    stop: () => Promise<void>;
  }>;

export type Person = Readonly<{ name: string; roles: readonly string[] }>;

const START_MS_MAX = 180_000;
const STOP_MS_MAX = 90_000;
const READY =
  /^Patchtrail is ready at (?<url>\S+).*\n {2}Bus: (?<bus>.+); event store: (?<eventStore>.+)\n/m;

/** As `npm start` and `npm run stack` start them. */
const ENTRIES = { standalone: '../main.js', distributed: '../stack/main.js' } as const;

/** Starts a profile as a process of its own. */
export async function startProduct(
  profile: Profile,
  workDir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Product> {
  const dataDir = join(workDir, 'data');
  const main = fileURLToPath(new URL(ENTRIES[profile], import.meta.url));
  const child = spawn(process.execPath, [main, UNTIL_INPUT_ENDS], {
    env: childEnvironment({ ...env, PATCHTRAIL_DATA_DIR: dataDir, PATCHTRAIL_PORT: '0' }),
    // It ends with the demo, however that ends.
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stderr.pipe(createWriteStream(join(workDir, 'product.log')));
  const ended = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await ended;
    clearTimeout(late);
    // As root the server keeps its files outside of the data folder.
    await removePostgres(join(dataDir, 'postgres'));
  };
  const announced = await Promise.race([
    announcement(child.stdout),
    ended.then(() =>
      Promise.reject(new Error(`Patchtrail did not start: see ${workDir}/product.log`)),
    ),
  ]).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  const as = async (person: Person) => clientFor(announced.url, await mint(dataDir, person));
  return { ...announced, profile, stop, as };
}

async function announcement(stdout: NodeJS.ReadableStream): Promise<Announced> {
  let said = '';
  const signal = AbortSignal.timeout(START_MS_MAX);
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error(`Patchtrail was not ready within ${String(START_MS_MAX)} ms.`));
    });
    stdout.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-10_000);
      const { url, bus, eventStore } = READY.exec(said)?.groups ?? {};
      if (url === undefined || bus === undefined || eventStore === undefined) return;
      resolve({ url, bus, eventStore });
    });
  });
}

/** Tokens come from the command line tool, for nothing mints over HTTP. */
async function mint(dataDir: string, { name, roles }: Person): Promise<string> {
  const cli = fileURLToPath(import.meta.resolve('@patchtrail/auth/token-cli'));
  const args = [
    '--dir',
    join(dataDir, 'issuer'),
    '--sub',
    name,
    '--department',
    '*',
    '--ttl',
    '3600',
  ];
  for (const role of roles) args.push('--role', role);
  const { stdout } = await promisify(execFile)(process.execPath, [cli, ...args]);
  return stdout.trim();
}
