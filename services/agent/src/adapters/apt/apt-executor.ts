import { chmod, rename, writeFile } from 'node:fs/promises';
import type { Executor } from '../../application/executor.js';
import { classifyFailure } from '../../domain/apt-failure.js';
import { ExecutionFailure } from '../../domain/failure.js';
import type { Lease } from '../../domain/lease.js';
import type { Transaction } from '../../domain/transaction.js';
import { auditRun } from './apt-audit.js';
import { aptFacts, aptInventory } from './apt-inventory.js';
import { installCommand, planInstall, planRollback } from './apt-plan.js';
import { type AptRunner, applyTransaction } from './apt-run.js';
import { hasUnfinishedNotes, settleRun } from './apt-settle.js';
import { FETCH_OPTIONS, findIn, refreshIndexes } from './apt-state.js';
import { keepPresentVersions, refuseAltered } from './kept-packages.js';
import type { Root } from './root.js';
import { said } from '../../domain/said.js';

const DOWNLOAD_TIMEOUT_MS = 600_000;
const PROBE_TIMEOUT_MS = 60_000;
const POLICY = '/usr/sbin/policy-rc.d';

/** A chroot has no init of its own: a service started there would run on the host. */
async function denyServices(root: Root): Promise<void> {
  if (root.path === '/' || (await root.read(POLICY)) !== null) return;
  const fresh = root.outside(`${POLICY}.new`);
  await writeFile(fresh, '#!/bin/sh\nexit 101\n');
  await chmod(fresh, 0o755);
  await rename(fresh, root.outside(POLICY));
}

async function downloadNew(root: Root, transaction: Transaction): Promise<void> {
  const command = await installCommand(root, transaction);
  const { code, stdout, stderr } = await root.run(
    [
      ...['apt-get', '-y', '-q', '--download-only', ...FETCH_OPTIONS, ...command.options],
      ...['-o', 'DPkg::Lock::Timeout=60', 'install', '--', ...command.packages],
    ],
    DOWNLOAD_TIMEOUT_MS,
  );
  if (code === 0) return;
  const output = `${stdout}\n${stderr}`;
  throw new ExecutionFailure(classifyFailure({ output, timedOut: false, broken: [] }));
}

async function prepare(root: Root, lease: Lease, transaction: Transaction): Promise<Transaction> {
  await denyServices(root);
  if (lease.kind === 'rollback') return transaction;
  const kept = await keepPresentVersions(root, lease.attemptId, transaction);
  await downloadNew(root, kept);
  return kept;
}

/** A write that changes nothing makes dpkg take up its notes, so that apt agrees to work. */
async function takeUpNotes(root: Root): Promise<void> {
  if (await hasUnfinishedNotes(root)) await root.run(['dpkg', '--set-selections']);
}

async function runProbe(root: Root, command: string | null): Promise<string | null> {
  if (command === null) return null;
  try {
    const { code, stdout, stderr } = await root.run(['sh', '-c', command], PROBE_TIMEOUT_MS);
    if (code === 0) return null;
    return `The probe ended with ${String(code)}: ${(stdout + stderr).trim().slice(0, 500)}`;
  } catch (error) {
    return said(error);
  }
}

/** Real apt on a root. `probe` is a shell command that ends with 0 on a healthy endpoint. */
export function createAptExecutor(runner: AptRunner, probe: string | null): Executor {
  const { root } = runner;
  let refreshedForPlan = false;
  return {
    facts: () => aptFacts(root),
    inventory: async () => {
      // The inventory that follows a lease works on the indexes that its plan has just refreshed.
      const stale = refreshedForPlan ? null : await refreshIndexes(root);
      refreshedForPlan = false;
      return aptInventory(root, stale);
    },
    planInstall: async (patches) => {
      const stale = await refreshIndexes(root);
      refreshedForPlan = stale === null;
      return planInstall(root, patches, stale);
    },
    planRollback: async (inverse) => {
      await refuseAltered(root, inverse);
      await takeUpNotes(root);
      await planRollback(root, inverse);
    },
    prepare: (lease, transaction) => prepare(root, lease, transaction),
    apply: (lease, transaction) => applyTransaction(runner, lease, transaction),
    settle: (lease, transaction) => settleRun(runner, lease, transaction),
    find: (transaction) => findIn(root, transaction),
    audit: (lease, transaction) => auditRun(root, lease, transaction),
    probe: () => runProbe(root, probe),
  };
}
