import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createLocalIssuer } from '@patchtrail/auth';
import { hostEnvironment } from './config.js';

/** `standalone`: one process; `distributed`: a process for each service, behind one address. */
export type Profile = 'standalone' | 'distributed';

export type Host = Readonly<{
  url: string;
  /** A token of somebody who plans the rollouts of every department. */
  token: string;
  stop: () => Promise<void>;
}>;

const START_MS_MAX = 180_000;
const STOP_MS_MAX = 60_000;
const LOG_TAIL_CHARS = 4_000;
const ENTRIES = { standalone: 'main', distributed: 'stack/main' } as const;

const isFromSource = import.meta.url.endsWith('.ts');
const root = new URL('../../', import.meta.url);
const SOURCE_HOOKS = new URL('libs/testing/src/jest/source-hooks.mjs', root).href;

/** The product as `npm start` and `npm run stack` run it, built or from source as this file is. */
export async function startHost(
  profile: Profile,
  places: Readonly<Record<string, string>>,
): Promise<Host> {
  const dataDir = await mkdtemp(join(tmpdir(), 'patchtrail-bench-host-'));
  const entry = ENTRIES[profile];
  const path = `services/standalone/${isFromSource ? `src/${entry}.ts` : `dist/${entry}.js`}`;
  const flags = isFromSource ? ['--import', SOURCE_HOOKS] : [];
  const own = { PATCHTRAIL_DATA_DIR: dataDir, PATCHTRAIL_PORT: '0', ...places };
  const args = [...flags, fileURLToPath(new URL(path, root)), '--until-input-ends'];
  const child = spawn(process.execPath, args, {
    env: hostEnvironment(own),
    // It ends with this process, however that ends.
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-LOG_TAIL_CHARS);
  });
  const exited = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await exited;
    clearTimeout(late);
    await rm(dataDir, { recursive: true, force: true });
  };
  try {
    const url = await Promise.race([
      announced(child.stdout),
      exited.then(() => Promise.reject(new Error('It ended while it started.'))),
      pause(START_MS_MAX, undefined, { ref: false }).then(() => {
        throw new Error('It was not ready in time.');
      }),
    ]);
    return { url, token: await tokenFrom(dataDir), stop };
  } catch (cause) {
    await stop();
    throw new Error(`The ${profile} profile did not start: ${log}`, { cause });
  }
}

function announced(stdout: NodeJS.ReadableStream): Promise<string> {
  let said = '';
  return new Promise((resolve) => {
    stdout.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-LOG_TAIL_CHARS);
      const url = /^Patchtrail is ready at (\S+)/m.exec(said)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
}

async function tokenFrom(dataDir: string): Promise<string> {
  const issuer = await createLocalIssuer(join(dataDir, 'issuer'));
  const roles = ['platform-engineer'] as const;
  return issuer.mint({ sub: 'bench', roles, departments: ['*'], ttlSeconds: 3_600 });
}
