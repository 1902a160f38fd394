import type { InstallPlan } from '../../application/executor.js';
import { classifyFailure } from '../../domain/apt-failure.js';
import { parseSimulation, type Simulation } from '../../domain/apt-simulation.js';
import { ExecutionFailure, permanent } from '../../domain/failure.js';
import {
  type Candidate,
  candidatesOf,
  judgeInstall,
  presentVersions,
  judgeRollback,
  packageArgument,
  parseShownSums,
  refuseHeld,
  refuseOtherBytes,
} from '../../domain/install-plan.js';
import type { Artifact, LeasedPatch } from '../../domain/lease.js';
import type { Change, Transaction } from '../../domain/transaction.js';
import {
  automaticNames,
  dpkgAudit,
  heldNames,
  isOlder,
  nativeArchitecture,
  packagesOf,
} from './apt-state.js';
import type { Root } from './root.js';

/** `install` with its package arguments, and the options that belong to the arguments. */
export type AptCommand = Readonly<{ options: readonly string[]; packages: readonly string[] }>;

export async function installCommand(root: Root, transaction: Transaction): Promise<AptCommand> {
  const native = await nativeArchitecture(root);
  return {
    options: ['--only-upgrade', '--no-remove'],
    packages: transaction.changes
      .filter(({ from }) => from !== null)
      .map((change) => `${packageArgument(change, native)}=${String(change.to)}`),
  };
}

function returnArgument(change: Change, native: string): string {
  if (change.to === null) return `${packageArgument(change, native)}-`;
  if (change.kept === null) {
    throw permanent('no-rollback-artifact', `${change.package} ${change.to} was not kept.`);
  }
  return change.kept.path;
}

/** The way back by file: an archive keeps no version that it has superseded. */
export async function rollbackCommand(root: Root, inverse: Transaction): Promise<AptCommand> {
  const native = await nativeArchitecture(root);
  const removals = inverse.changes.filter(({ to }) => to === null);
  const purge = removals.length > 0 && removals.every((change) => !change.residualConfig);
  const same = inverse.changes.some(({ from, to }) => to !== null && from === to);
  return {
    options: [
      '--allow-downgrades',
      ...(purge ? ['--purge'] : []),
      ...(same ? ['--reinstall'] : []),
    ],
    packages: inverse.changes.map((change) => returnArgument(change, native)),
  };
}

/** What apt would do. @throws ExecutionFailure with apt's own reason when it would not */
async function simulate(root: Root, command: AptCommand): Promise<Simulation> {
  const { code, stdout, stderr } = await root.run([
    ...['apt-get', '-s', '-y', '-q', ...command.options],
    ...['install', '--', ...command.packages],
  ]);
  if (code === 0) return parseSimulation(stdout);
  const output = `${stdout}\n${stderr}`;
  throw new ExecutionFailure(classifyFailure({ output, timedOut: false, broken: [] }));
}

async function simulateFresh(root: Root, command: AptCommand, stale: string | null) {
  try {
    return await simulate(root, command);
  } catch (error) {
    const missing =
      error instanceof ExecutionFailure && error.failure.class === 'version-not-found';
    if (!missing || stale === null) throw error;
    // An index that could not be refreshed does not prove that the version is gone.
    throw new ExecutionFailure({ class: 'network', transient: true, detail: stale });
  }
}

async function older(root: Root, candidates: readonly Candidate[]): Promise<readonly Candidate[]> {
  const below: Candidate[] = [];
  for (const candidate of candidates) {
    const { artifact, installed } = candidate;
    if (artifact.version === installed.version) continue;
    if (await isOlder(root, installed.version, artifact.version)) below.push(candidate);
  }
  return below;
}

async function refuseDowngrades(root: Root, transaction: Transaction): Promise<void> {
  for (const { package: name, from, to } of transaction.changes) {
    if (from !== null && to !== null && (await isOlder(root, to, from))) {
      throw permanent('plan-refused', `The plan would take ${name} from ${from} down to ${to}.`);
    }
  }
}

async function checkBytes(root: Root, wanted: readonly Artifact[]): Promise<void> {
  const specs = wanted.map((artifact) => `${artifact.package}=${artifact.version}`);
  const { stdout } = await root.run(['apt-cache', 'show', '--', ...specs]);
  refuseOtherBytes(wanted, parseShownSums(stdout));
}

/** Plans an install by apt's own simulation. @throws ExecutionFailure */
export async function planInstall(
  root: Root,
  patches: readonly LeasedPatch[],
  /** Why the indexes may be out of date. */
  stale: string | null,
): Promise<InstallPlan> {
  const audit = await dpkgAudit(root);
  if (audit !== '') throw permanent('dpkg-broken', audit.slice(0, 1_000));
  const packages = await packagesOf(root);
  const candidates = candidatesOf(patches, packages);
  const below = await older(root, candidates);
  if (below.length === 0) {
    return { kind: 'already-compliant', versions: presentVersions(candidates) };
  }
  refuseHeld(below, await heldNames(root));
  const wanted = below.map(({ artifact }) => artifact);
  const native = await nativeArchitecture(root);
  const command = {
    options: ['--only-upgrade'],
    packages: wanted.map((one) => `${packageArgument(one, native)}=${one.version}`),
  };
  const simulation = await simulateFresh(root, command, stale);
  const automatic = await automaticNames(root);
  const transaction = judgeInstall({ wanted, simulation, packages, automatic });
  await refuseDowngrades(root, transaction);
  await checkBytes(root, wanted);
  return { kind: 'transaction', transaction };
}

/** @throws ExecutionFailure when apt would do anything but the way back */
export async function planRollback(root: Root, inverse: Transaction): Promise<void> {
  judgeRollback(inverse, await simulate(root, await rollbackCommand(root, inverse)));
}
