import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../error-field.js';
import { run } from './command.js';
import { holdsWithin } from './poll.js';

/** What `postmaster.pid` says. `port` is 0 as long as the server has not come that far. */
export type Recorded = { readonly pid: number; readonly port: number };

const FAST_STOP_MS = 20_000;
const IMMEDIATE_STOP_MS = 10_000;
const STRAY_MS = 10_000;

export async function recordedPostmaster(data: string): Promise<Recorded | undefined> {
  const text = await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '');
  const [pid, , , port] = text.split('\n').map(Number);
  if (pid === undefined || !Number.isInteger(pid) || pid <= 1) return undefined;
  return { pid, port: port !== undefined && Number.isInteger(port) ? port : 0 };
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/** Servers work in their data folder, and the kernel keeps that path current when it moves. */
async function worksIn(pid: number, data: string): Promise<boolean> {
  if (process.platform === 'linux')
    return (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === data;
  const args = ['ps', '-ww', '-o', 'command=', '-p', String(pid)];
  const { stdout } = await run({ file: '/usr/bin/env', args, account: undefined });
  return stdout.includes(`-D ${data}`);
}

/** Process ids are given out again, so a number in a file proves nothing. */
export async function isServerOf(pid: number, data: string): Promise<boolean> {
  return isAlive(pid) && (await worksIn(pid, data));
}

async function strays(data: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(pids.map((pid) => worksIn(pid, data)));
  return found.includes(true);
}

/** Backends outlive a killed postmaster by a moment, and must be gone before the next one. */
export async function withoutStrays(data: string): Promise<void> {
  if (!(await holdsWithin(STRAY_MS, async () => !(await strays(data)))))
    throw new Error(`Processes of an earlier PostgreSQL still work in ${data}.`);
}

function signal(pid: number, name: 'SIGINT' | 'SIGQUIT'): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/** Fast shutdown: sessions end, everything committed is kept. Immediate when that takes too long. */
export async function stopServer(pid: number, data: string): Promise<void> {
  const gone = async (): Promise<boolean> => !(await isServerOf(pid, data));
  if (await gone()) return;
  signal(pid, 'SIGINT');
  if (await holdsWithin(FAST_STOP_MS, gone)) return;
  signal(pid, 'SIGQUIT');
  if (await holdsWithin(IMMEDIATE_STOP_MS, gone)) return;
  throw new Error(`PostgreSQL (process ${pid}) in ${data} does not stop.`);
}
