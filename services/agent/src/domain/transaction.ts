/** A package file kept for the way back; `path` is as seen inside the root. */
export type KeptPackage = Readonly<{ path: string; sha256: string }>;

/** One package of a transaction: `from` null is a new installation, `to` null a removal. */
export type Change = Readonly<{
  package: string;
  architecture: string;
  from: string | null;
  to: string | null;
  /** Installed as a dependency only; apt forgets that when a version is named. */
  automatic: boolean;
  /** Configuration files of an earlier installation are there, and stay there. */
  residualConfig: boolean;
  kept: KeptPackage | null;
}>;

/** Everything that one run of the package system changes. */
export type Transaction = Readonly<{ changes: readonly Change[] }>;

/** What is there now of one package that a transaction names. */
export type Found = Readonly<{
  package: string;
  architecture: string;
  version: string | null;
  /** Three letters as dpkg prints them: `ii `; empty when the package is not known. */
  status: string;
}>;

export type VersionChange = Readonly<{
  package: string;
  architecture: string;
  before: string | null;
  after: string | null;
}>;

/** Installed and configured; a hold on it changes nothing about that. */
export function isHealthy(status: string): boolean {
  return /^[ih]i ?$/.test(status);
}

/** Files of it may be there, whether configured or not. */
export function isPresent(status: string): boolean {
  return /^.[^nc]/.test(status);
}

const keyOf = (one: { package: string; architecture: string }) =>
  `${one.package}:${one.architecture}`;

/**
 * Finds packages by name; architecture decides only between several of that name,
 * because a package may move between `all` and a real architecture.
 */
export function findPackage<T extends { package: string; architecture: string }>(
  packages: readonly T[],
  wanted: { package: string; architecture: string },
): T | undefined {
  const named = packages.filter((one) => one.package === wanted.package);
  return (
    named.find((one) => keyOf(one) === keyOf(wanted)) ??
    named.find((one) => one.architecture === 'all' || wanted.architecture === 'all')
  );
}

export function versionChanges(
  transaction: Transaction,
  found: readonly Found[],
): readonly VersionChange[] {
  return transaction.changes.map((change) => ({
    package: change.package,
    architecture: change.architecture,
    before: change.from,
    after: findPackage(found, change)?.version ?? null,
  }));
}

/** Whether every package is as it was before the transaction. */
export function isUntouched(transaction: Transaction, found: readonly Found[]): boolean {
  return transaction.changes.every((change) => {
    const now = findPackage(found, change);
    if (change.from === null) return now === undefined || !isPresent(now.status);
    return now?.version === change.from && isHealthy(now.status);
  });
}

/** One sentence for each package that is not as the transaction planned it. */
export function deviations(transaction: Transaction, found: readonly Found[]): readonly string[] {
  return transaction.changes.flatMap((change) => {
    const now = findPackage(found, change);
    const present = now !== undefined && isPresent(now.status);
    if (change.to === null) {
      return present ? [`${change.package} is still installed.`] : [];
    }
    if (!present) return [`${change.package} is not installed.`];
    if (now.version !== change.to) {
      return [`${change.package} is at ${String(now.version)}, not at ${change.to}.`];
    }
    return isHealthy(now.status)
      ? []
      : [`${change.package} has status '${now.status}', not 'ii '.`];
  });
}

/** What runs one after another change, each package from where the first of them found it. */
export function inSequence(transactions: readonly Transaction[]): Transaction {
  const changes: Change[] = [];
  for (const change of transactions.flatMap((one) => one.changes)) {
    if (findPackage(changes, change) === undefined) changes.push(change);
  }
  return { changes };
}

/**
 * The way back: every package that is not as it was returns to its saved version.
 * Empty when nothing was changed.
 */
export function inverseOf(saved: Transaction, found: readonly Found[]): Transaction {
  const changed = saved.changes.filter((change) => !isUntouched({ changes: [change] }, found));
  return {
    changes: changed.map((change) => ({
      ...change,
      from: findPackage(found, change)?.version ?? null,
      to: change.from,
    })),
  };
}
