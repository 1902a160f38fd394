import type { Log } from '../../application/context.js';
import type { Executor, InstallPlan, Inventory } from '../../application/executor.js';
import { asFound } from '../../domain/dpkg.js';
import { type Failure, permanent } from '../../domain/failure.js';
import {
  candidatesOf,
  judgeInstall,
  presentVersions,
  refuseHeld,
} from '../../domain/install-plan.js';
import type { Lease, LeasedPatch } from '../../domain/lease.js';
import {
  type Change,
  deviations,
  findPackage,
  type Transaction,
} from '../../domain/transaction.js';
import {
  type EndpointFile,
  openSimulatedFiles,
  type RepositoryFile,
  type SimulatedFiles,
} from './simulated-files.js';
import { appendHistory, historyEnd, historyOf, historyStart } from './simulated-history.js';

type Installed = EndpointFile['packages'][number];
type Offered = RepositoryFile['packages'][number];

const offerOf = (repository: RepositoryFile, name: string): Offered | undefined =>
  repository.packages.find((one) => one.name === name);

const holdNames = (endpoint: EndpointFile) =>
  endpoint.holds.map((hold) => hold.replace(/:[^:]*$/, ''));

/** Age of a version on offer. @throws ExecutionFailure when the repository does not have it */
function ageOf(repository: RepositoryFile, name: string, version: string): number {
  const versions = offerOf(repository, name)?.versions ?? [];
  const age = versions.findIndex((one) => one.version === version);
  if (age < 0)
    throw permanent('version-not-found', `Version '${version}' for '${name}' was not found`);
  return age;
}

function pendingOf(endpoint: EndpointFile, repository: RepositoryFile) {
  const held = holdNames(endpoint);
  return endpoint.packages.flatMap((installed) => {
    const newest = offerOf(repository, installed.name)?.versions.at(-1);
    if (newest === undefined || newest.version === installed.version) return [];
    if (held.includes(installed.name)) return [];
    return [
      {
        package: installed.name,
        architecture: installed.architecture,
        from: installed.version,
        to: newest.version,
        origins: [newest.origin],
      },
    ];
  });
}

async function inventory(files: SimulatedFiles): Promise<Inventory> {
  const endpoint = await files.endpoint();
  return {
    packages: endpoint.packages,
    holds: endpoint.holds,
    sources: endpoint.sources,
    pendingUpgrades: pendingOf(endpoint, await files.repository()),
    aptProblem: null,
    rebootRequired: false,
    rebootPackages: [],
    trustProblems: [],
  };
}

async function planInstall(
  files: SimulatedFiles,
  patches: readonly LeasedPatch[],
): Promise<InstallPlan> {
  const endpoint = await files.endpoint();
  const repository = await files.repository();
  const candidates = candidatesOf(patches, endpoint.packages);
  const below = candidates.filter(({ artifact, installed }) => {
    const present = ageOf(repository, installed.name, installed.version);
    return present < ageOf(repository, installed.name, artifact.version);
  });
  if (below.length === 0) {
    return { kind: 'already-compliant', versions: presentVersions(candidates) };
  }
  refuseHeld(below, holdNames(endpoint));
  const installs = below.map(({ artifact, installed }) => ({
    package: installed.name,
    architecture: installed.architecture,
    from: installed.version,
    to: artifact.version,
    origins: [],
  }));
  const transaction = judgeInstall({
    wanted: below.map(({ artifact }) => artifact),
    simulation: { installs, removals: [] },
    packages: endpoint.packages,
    automatic: [],
  });
  return { kind: 'transaction', transaction };
}

async function refuseUnavailable(files: SimulatedFiles, transaction: Transaction): Promise<void> {
  const repository = await files.repository();
  for (const { package: name, from, to } of transaction.changes) {
    for (const version of [from, to]) {
      if (version !== null) ageOf(repository, name, version);
    }
  }
}

function changed(
  packages: readonly Installed[],
  change: Change,
  repository: RepositoryFile,
  status: string,
): Installed[] {
  return packages.flatMap((installed) => {
    if (installed.name !== change.package) return [installed];
    const { to } = change;
    const offered = offerOf(repository, change.package)?.versions;
    const target = offered?.find(({ version }) => version === to);
    if (target === undefined) return [];
    const { version, sourceVersion } = target;
    return [{ ...installed, version, sourceVersion, status }];
  });
}

function faultIn(endpoint: EndpointFile, lease: Lease, transaction: Transaction) {
  return endpoint.faults.find(
    (fault) =>
      fault.during === lease.kind &&
      (fault.hardwareModel ?? endpoint.hardwareModel) === endpoint.hardwareModel &&
      transaction.changes.some(
        ({ package: name, from, to }) =>
          fault.package === name && fault.version === (lease.kind === 'install' ? to : from),
      ),
  );
}

/** The state file is replaced as a whole between the two history lines, so a kill leaves old or new. */
async function apply(
  files: SimulatedFiles,
  lease: Lease,
  transaction: Transaction,
): Promise<Failure | null> {
  const endpoint = await files.endpoint();
  const repository = await files.repository();
  const fault = faultIn(endpoint, lease, transaction);
  await appendHistory(files.historyPath, historyStart(lease, transaction, new Date()));
  if (fault?.leaves !== 'unchanged') {
    let packages: Installed[] = endpoint.packages;
    for (const change of transaction.changes) {
      const broken = fault?.package === change.package;
      packages = changed(packages, change, repository, broken ? 'iF ' : 'ii ');
    }
    await files.save({ ...endpoint, packages });
  }
  await appendHistory(files.historyPath, historyEnd(new Date(), fault?.detail ?? null));
  if (fault === undefined) return null;
  return { class: fault.class, transient: fault.transient, detail: fault.detail };
}

async function find(files: SimulatedFiles, transaction: Transaction) {
  const { packages } = await files.endpoint();
  const found = packages.map(asFound);
  return transaction.changes.flatMap((change) => findPackage(found, change) ?? []);
}

/** Ends a transaction that a kill left open in the history; the state file needs no repair. */
async function settle(
  files: SimulatedFiles,
  lease: Lease,
  transaction: Transaction,
): Promise<Failure | null> {
  const [entry] = await historyOf(files.historyPath, lease.attemptId);
  if (entry?.ended === false) {
    await appendHistory(files.historyPath, historyEnd(new Date(), null));
  }
  if (deviations(transaction, await find(files, transaction)).length === 0) return null;
  const fault = faultIn(await files.endpoint(), lease, transaction);
  if (fault === undefined || entry === undefined) return null;
  return { class: fault.class, transient: fault.transient, detail: fault.detail };
}

async function audit(files: SimulatedFiles, lease: Lease): Promise<readonly string[]> {
  const entries = await historyOf(files.historyPath, lease.attemptId);
  if (entries.length === 1) return [];
  return [`The history has ${entries.length} transactions of this attempt, not 1.`];
}

/** A package system that is a JSON file: for hosts without apt and for load tests. */
export function createSimulatedExecutor(file: string, log: Log): Executor {
  const files = openSimulatedFiles(file);
  return {
    facts: async () => {
      const { hostname, platform, hardwareModel } = await files.endpoint();
      return { hostname, platform, hardwareModel };
    },
    inventory: () => inventory(files),
    planInstall: (patches) => planInstall(files, patches),
    planRollback: (inverse) => refuseUnavailable(files, inverse),
    prepare: async (_lease, transaction) => {
      await refuseUnavailable(files, transaction);
      return transaction;
    },
    apply: async (lease, transaction) => {
      log('package-step', { attemptId: lease.attemptId, step: 'simulated' });
      return apply(files, lease, transaction);
    },
    settle: (lease, transaction) => settle(files, lease, transaction),
    find: (transaction) => find(files, transaction),
    audit: (lease) => audit(files, lease),
    probe: () => Promise.resolve(null),
  };
}
