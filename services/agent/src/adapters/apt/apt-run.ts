import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../application/context.js';
import { classifyFailure } from '../../domain/apt-failure.js';
import type { Failure } from '../../domain/failure.js';
import { attemptMark } from '../../domain/history-log.js';
import type { Lease } from '../../domain/lease.js';
import { isHealthy, type Transaction } from '../../domain/transaction.js';
import { runToFile, tailOf } from '../process/run-to-file.js';
import { type AptCommand, installCommand, rollbackCommand } from './apt-plan.js';
import { FETCH_OPTIONS, findIn, packageArgumentOf } from './apt-state.js';
import { COMMAND_ENV, type Root } from './root.js';

/** What runs of apt need to know about their agent. */
export type AptRunner = Readonly<{ root: Root; stateDir: string; timeoutMs: number; log: Log }>;

const RUNS_KEPT_MAX = 50;

/** Kept configuration files stay as the owner edited them. */
const CONFFILE_OPTIONS = [
  ...['-o', 'Dpkg::Options::=--force-confdef'],
  ...['-o', 'Dpkg::Options::=--force-confold'],
];
const TRANSACTION_OPTIONS = [
  ...['-y', '-q', '-o', 'DPkg::Lock::Timeout=60', '-o', 'APT::Status-Fd=3'],
  // Without a terminal of its own dpkg writes to our file, and no /dev/pts is needed.
  ...['-o', 'Dpkg::Use-Pty=0', ...CONFFILE_OPTIONS, ...FETCH_OPTIONS],
];

export function runPaths(runner: AptRunner, attemptId: string) {
  const folder = join(runner.stateDir, 'runs');
  return {
    folder,
    outputPath: join(folder, `${attemptId}.output`),
    statusPath: join(folder, `${attemptId}.status`),
  };
}

async function commandOf(root: Root, lease: Lease, transaction: Transaction): Promise<AptCommand> {
  return lease.kind === 'install'
    ? installCommand(root, transaction)
    : rollbackCommand(root, transaction);
}

/** The full command line; its mark is what finds the run again, in history.log and among processes. */
function transactionArgv(lease: Lease, command: AptCommand): readonly string[] {
  return [
    ...['apt-get', ...TRANSACTION_OPTIONS, '-o', attemptMark(lease.attemptId)],
    ...[...command.options, 'install', '--', ...command.packages],
  ];
}

async function forgetOldest(folder: string): Promise<void> {
  const names = await readdir(folder);
  const files = await Promise.all(
    names.map(async (name) => ({ name, mtimeMs: (await stat(join(folder, name))).mtimeMs })),
  );
  const oldest = files.sort((a, b) => b.mtimeMs - a.mtimeMs).slice(2 * RUNS_KEPT_MAX);
  for (const { name } of oldest) await rm(join(folder, name), { force: true });
}

/** The packages of the transaction that dpkg left in a state in between. */
export async function brokenPackages(
  root: Root,
  transaction: Transaction,
): Promise<readonly string[]> {
  const found = await findIn(root, transaction);
  return found
    .filter(({ status }) => !isHealthy(status))
    .map((one) => `${one.package} '${one.status}'`);
}

/** Naming a version marks a package as wanted for itself; dependencies become that again. */
export async function restoreAutomatic(root: Root, transaction: Transaction): Promise<void> {
  const names = transaction.changes
    .filter(({ automatic, to }) => automatic && to !== null)
    .map((change) => packageArgumentOf(change));
  if (names.length > 0) await root.run(['apt-mark', 'auto', '--', ...names]);
}

/** Runs apt once and says why it failed, `null` when it exits with 0. */
export async function applyTransaction(
  runner: AptRunner,
  lease: Lease,
  transaction: Transaction,
): Promise<Failure | null> {
  const { root, log } = runner;
  const { attemptId } = lease;
  const { folder, outputPath, statusPath } = runPaths(runner, attemptId);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await forgetOldest(folder);
  const argv = transactionArgv(lease, await commandOf(root, lease, transaction));
  const { code, timedOut } = await runToFile({
    argv: root.argv(argv),
    env: { ...COMMAND_ENV, PATCHTRAIL_ATTEMPT: attemptId },
    timeoutMs: runner.timeoutMs,
    outputPath,
    statusPath,
    onStatus: (line) => {
      if (line.startsWith('pmstatus:')) log('package-step', { attemptId, step: line });
    },
  });
  await restoreAutomatic(root, transaction);
  if (code === 0) return null;
  const broken = await brokenPackages(root, transaction);
  return classifyFailure({ output: await tailOf(outputPath), timedOut, broken });
}
