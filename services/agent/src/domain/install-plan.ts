import type { SimulatedInstall, Simulation } from './apt-simulation.js';
import type { InstalledPackage } from './dpkg.js';
import { permanent } from './failure.js';
import type { Artifact, LeasedPatch } from './lease.js';
import {
  type Change,
  findPackage,
  isPresent,
  type Transaction,
  type VersionChange,
} from './transaction.js';

/** An artifact of the lease and the package it would replace here. */
export type Candidate = Readonly<{ artifact: Artifact; installed: InstalledPackage }>;

const named = (installed: InstalledPackage) => ({ ...installed, package: installed.name });

/**
 * The artifacts whose package is installed here.
 * @throws ExecutionFailure when none is, or when two versions of one package are asked for
 */
export function candidatesOf(
  patches: readonly LeasedPatch[],
  packages: readonly InstalledPackage[],
): readonly Candidate[] {
  const present = packages.filter(({ status }) => isPresent(status)).map(named);
  const candidates = patches
    .flatMap(({ artifacts }) => artifacts)
    .flatMap((artifact) => {
      const installed = findPackage(present, artifact);
      return installed === undefined ? [] : [{ artifact, installed }];
    });
  if (candidates.length === 0) {
    throw permanent('not-applicable', 'No package of the patches is installed on this endpoint.');
  }
  const versions = new Map<string, string>();
  for (const { artifact, installed } of candidates) {
    const key = `${installed.name}:${installed.architecture}`;
    const other = versions.get(key) ?? artifact.version;
    if (other !== artifact.version) {
      throw permanent(
        'plan-refused',
        `${key} is asked for at ${other} and at ${artifact.version}; one lease names one version.`,
      );
    }
    versions.set(key, artifact.version);
  }
  return candidates;
}

/** The versions to report where nothing has to be done. */
export function presentVersions(candidates: readonly Candidate[]): readonly VersionChange[] {
  return candidates.map(({ installed }) => ({
    package: installed.name,
    architecture: installed.architecture,
    before: installed.version,
    after: installed.version,
  }));
}

/** @throws ExecutionFailure when one of them is held by the endpoint's owner */
export function refuseHeld(candidates: readonly Candidate[], held: readonly string[]): void {
  const names = candidates.map(({ installed }) => installed.name);
  const on = names.filter((name) => held.includes(name));
  if (on.length > 0) throw permanent('held', `On hold by apt-mark: ${on.join(', ')}.`);
}

/** Package argument of apt-get: foreign architectures are named, the native one and `all` are not. */
export function packageArgument(
  one: { package: string; architecture: string },
  nativeArchitecture: string,
): string {
  const foreign = one.architecture !== 'all' && one.architecture !== nativeArchitecture;
  return foreign ? `${one.package}:${one.architecture}` : one.package;
}

export type Judged = Readonly<{
  wanted: readonly Artifact[];
  simulation: Simulation;
  packages: readonly InstalledPackage[];
  automatic: readonly string[];
}>;

function changeOf(install: SimulatedInstall, judged: Judged): Change {
  const known = findPackage(judged.packages.map(named), install);
  return {
    package: install.package,
    architecture: install.architecture,
    from: install.from,
    to: install.to,
    automatic: install.from === null || judged.automatic.includes(install.package),
    residualConfig: install.from === null && known !== undefined,
    kept: null,
  };
}

/**
 * The transaction that apt simulated for an install.
 * @throws ExecutionFailure when it would remove a package, or leave out or alter what was asked for
 */
export function judgeInstall(judged: Judged): Transaction {
  const { simulation, wanted } = judged;
  if (simulation.removals.length > 0) {
    const names = simulation.removals.map((removal) => `${removal.package} ${removal.version}`);
    throw permanent('plan-refused', `The plan would remove ${names.join(', ')}.`);
  }
  for (const artifact of wanted) {
    const install = findPackage(simulation.installs, artifact);
    if (install?.to !== artifact.version) {
      throw permanent(
        'plan-refused',
        `The plan has ${artifact.package} at ${install?.to ?? 'its present version'}, not at ${artifact.version}.`,
      );
    }
  }
  return { changes: simulation.installs.map((install) => changeOf(install, judged)) };
}

function sortedLines(lines: readonly string[]): string {
  return [...lines].sort().join(', ');
}

/** @throws ExecutionFailure when apt simulated anything but the planned way back */
export function judgeRollback(planned: Transaction, simulation: Simulation): void {
  const expected = planned.changes.map((change) => `${change.package} → ${change.to ?? 'removed'}`);
  const simulated = [
    ...simulation.installs.map((install) => `${install.package} → ${install.to}`),
    ...simulation.removals.map((removal) => `${removal.package} → removed`),
  ];
  if (sortedLines(expected) === sortedLines(simulated)) return;
  throw permanent(
    'plan-refused',
    `The way back is ${sortedLines(expected)}; apt plans ${sortedLines(simulated)}.`,
  );
}

/** SHA-256 sums by `package version architecture`, out of `apt-cache show`. */
export function parseShownSums(text: string): readonly (readonly [string, string])[] {
  return text.split(/\n\s*\n/).flatMap((stanza) => {
    const fieldOf = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1] ?? '';
    const sum = fieldOf('SHA256');
    if (sum === '') return [];
    return [[`${fieldOf('Package')} ${fieldOf('Version')} ${fieldOf('Architecture')}`, sum]];
  });
}

/** @throws ExecutionFailure when an index offers other bytes under an approved version */
export function refuseOtherBytes(
  wanted: readonly Artifact[],
  sums: readonly (readonly [string, string])[],
): void {
  for (const artifact of wanted) {
    const key = `${artifact.package} ${artifact.version} ${artifact.architecture}`;
    const other = sums.find(([name, sum]) => name === key && sum !== artifact.sha256);
    if (other !== undefined) {
      throw permanent(
        'artifact-mismatch',
        `${key}: the endpoint's index has SHA-256 ${other[1]}, the approved artifact ${artifact.sha256}.`,
      );
    }
  }
}
