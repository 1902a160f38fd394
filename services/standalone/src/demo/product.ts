import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { removePostgres } from '@patchtrail/postgres';
import { type Client, clientFor } from './client.js';
import { childEnvironment } from './config.js';

export type Product = Readonly<{
  url: string;
  /** The public API as somebody with these roles. */
  as: (person: Person) => Promise<Client>;
  stop: () => Promise<void>;
}>;

export type Person = Readonly<{ name: string; roles: readonly string[] }>;

const START_MS_MAX = 120_000;
const STOP_MS_MAX = 30_000;
const READY = /^Patchtrail is ready at (\S+)/m;

/** Starts the standalone profile as a process of its own, as `npm start` does. */
export async function startProduct(workDir: string): Promise<Product> {
  const dataDir = join(workDir, 'data');
  const main = fileURLToPath(new URL('../main.js', import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: childEnvironment({ PATCHTRAIL_DATA_DIR: dataDir, PATCHTRAIL_PORT: '0' }),
    stdio: ['ignore', 'pipe', 'pipe'],
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
  const url = await Promise.race([
    announcedUrl(child.stdout),
    ended.then(() =>
      Promise.reject(new Error(`Patchtrail did not start: see ${workDir}/product.log`)),
    ),
  ]).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { url, stop, as: async (person) => clientFor(url, await mint(dataDir, person)) };
}

async function announcedUrl(stdout: NodeJS.ReadableStream): Promise<string> {
  let said = '';
  const signal = AbortSignal.timeout(START_MS_MAX);
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error(`Patchtrail was not ready within ${String(START_MS_MAX)} ms.`));
    });
    stdout.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-10_000);
      const url = READY.exec(said)?.[1];
      if (url !== undefined) resolve(url);
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
