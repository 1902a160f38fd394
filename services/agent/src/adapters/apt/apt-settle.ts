import { readdir, readFile } from 'node:fs/promises';
import { classifyFailure } from '../../domain/apt-failure.js';
import type { Failure } from '../../domain/failure.js';
import { attemptMark } from '../../domain/history-log.js';
import type { Lease } from '../../domain/lease.js';
import { deviations, type Transaction } from '../../domain/transaction.js';
import { tailOf } from '../process/run-to-file.js';
import { type AptRunner, brokenPackages, restoreAutomatic, runPaths } from './apt-run.js';
import { dpkgAudit, findIn } from './apt-state.js';
import type { Root } from './root.js';

const POLL_MS = 200;
const CONFIGURE_TIMEOUT_MS = 600_000;
const CONFIGURE_TRIES_MAX = 30;
const CONFIGURE_PAUSE_MS = 2_000;

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function procFile(pid: string, name: string): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

/** apt by its arguments; dpkg, should apt be dead, by the environment it was given. */
async function belongsTo(pid: string, attemptId: string): Promise<boolean> {
  const commandLine = await procFile(pid, 'cmdline');
  if (commandLine.includes(attemptMark(attemptId))) return true;
  const [program = ''] = commandLine.split('\0');
  if (!/(?:^|\/)dpkg$/.test(program)) return false;
  return (await procFile(pid, 'environ')).split('\0').includes(`PATCHTRAIL_ATTEMPT=${attemptId}`);
}

/** Process ids of a run that outlived the agent which started it. */
async function leftRunning(attemptId: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const mine = await Promise.all(pids.map((pid) => belongsTo(pid, attemptId)));
  return pids.filter((_, index) => mine[index]);
}

function kill(pids: readonly string[]): void {
  for (const pid of pids) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It has ended in between.
    }
  }
}

async function waitForRun(runner: AptRunner, attemptId: string): Promise<void> {
  const deadline = Date.now() + runner.timeoutMs;
  let pids = await leftRunning(attemptId);
  if (pids.length > 0) runner.log('run-still-going', { attemptId, pids });
  while (pids.length > 0) {
    if (Date.now() > deadline) kill(pids);
    await wait(POLL_MS);
    pids = await leftRunning(attemptId);
  }
}

/** Whether dpkg has notes of a run that was cut off; apt refuses to work until they are taken up. */
export async function hasUnfinishedNotes(root: Root): Promise<boolean> {
  return (await root.list('/var/lib/dpkg/updates')).some((name) => /^\d+$/.test(name));
}

/** Completes what dpkg has half done, as far as the packages let it. */
async function configure(root: Root): Promise<void> {
  for (let tries = 1; tries <= CONFIGURE_TRIES_MAX; tries += 1) {
    const { stderr } = await root.run(
      ['dpkg', '--force-confdef', '--force-confold', '--configure', '-a'],
      CONFIGURE_TIMEOUT_MS,
    );
    if (!/\block\b/.test(stderr)) return;
    await wait(CONFIGURE_PAUSE_MS);
  }
}

/** Brings the package system to rest after a crash. Never runs apt. */
export async function settleRun(
  runner: AptRunner,
  lease: Lease,
  transaction: Transaction,
): Promise<Failure | null> {
  const { root } = runner;
  await waitForRun(runner, lease.attemptId);
  if ((await hasUnfinishedNotes(root)) || (await dpkgAudit(root)) !== '') await configure(root);
  await restoreAutomatic(root, transaction);
  if (deviations(transaction, await findIn(root, transaction)).length === 0) return null;
  const broken = await brokenPackages(root, transaction);
  const output = await tailOf(runPaths(runner, lease.attemptId).outputPath);
  if (broken.length === 0 && !/^(?:E|dpkg): /m.test(output)) return null;
  return classifyFailure({ output, timedOut: false, broken });
}
