import type { InstalledPackage } from '../domain/dpkg.js';
import type { ReportedSource } from '../domain/apt-sources.js';
import type { Failure } from '../domain/failure.js';
import type { Lease, LeasedPatch } from '../domain/lease.js';
import type { Platform } from '../domain/os-release.js';
import type { Found, Transaction, VersionChange } from '../domain/transaction.js';

export type EndpointFacts = Readonly<{
  hostname: string;
  platform: Platform;
  hardwareModel: string;
}>;

export type PendingUpgrade = Readonly<{
  package: string;
  architecture: string;
  from: string;
  to: string;
  origins: readonly string[];
}>;

/** What an endpoint has and what its own package system would upgrade. */
export type Inventory = Readonly<{
  packages: readonly InstalledPackage[];
  /** `name:architecture` */
  holds: readonly string[];
  sources: readonly ReportedSource[];
  pendingUpgrades: readonly PendingUpgrade[];
  /** Why the pending upgrades may be out of date; `null` when they are not. */
  aptProblem: string | null;
  rebootRequired: boolean;
  rebootPackages: readonly string[];
  trustProblems: readonly string[];
}>;

export type InstallPlan = Readonly<
  | { kind: 'already-compliant'; versions: readonly VersionChange[] }
  | { kind: 'transaction'; transaction: Transaction }
>;

/**
 * The package system of one endpoint. Planning and preparing change no package and throw
 * `ExecutionFailure` for every reason not to go on.
 */
export type Executor = Readonly<{
  facts: () => Promise<EndpointFacts>;
  inventory: () => Promise<Inventory>;
  planInstall: (patches: readonly LeasedPatch[]) => Promise<InstallPlan>;
  /** Simulates the way back that the domain worked out. */
  planRollback: (inverse: Transaction) => Promise<void>;
  /** Brings new and, for an install, old packages to the disk; answers where the old ones are. */
  prepare: (lease: Lease, transaction: Transaction) => Promise<Transaction>;
  /** One run of the package system. `null` when it says that it succeeded. */
  apply: (lease: Lease, transaction: Transaction) => Promise<Failure | null>;
  /**
   * After a crash: waits for a run that is still going, completes what was left half-done.
   * Starts no new run. Answers the cause when that run failed by itself and it can be told.
   */
  settle: (lease: Lease, transaction: Transaction) => Promise<Failure | null>;
  /** What is there now of the packages that a transaction names. */
  find: (transaction: Transaction) => Promise<readonly Found[]>;
  /** What speaks against the state after a run that left the planned versions; empty when nothing does. */
  audit: (lease: Lease, transaction: Transaction) => Promise<readonly string[]>;
  /** Runs the health probe; `null` when it passes or there is none. */
  probe: () => Promise<string | null>;
}>;
