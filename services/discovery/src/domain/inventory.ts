import { DomainError } from '@patchtrail/event-sourcing';
import { isVersion } from './debian-version.js';

export type InstalledPackage = Readonly<{
  name: string;
  version: string;
  architecture: string;
  sourceName: string;
  sourceVersion: string;
  /** dpkg's `db:Status-Abbrev`: desired action, state, and error flag. */
  status: string;
}>;

/** The last inventory that was accepted, or one that is offered. */
export type InventoryMark = Readonly<{ sequence: number; digest: string }>;

export type Acceptance =
  /** Something in it differs. */
  | 'changed'
  /** A newer look at the same things. */
  | 'unchanged'
  /** It was here before. */
  | 'repeat';

/** @throws DomainError `stale-inventory`: an older report never overwrites a newer one */
export function acceptInventory(
  accepted: InventoryMark | null,
  offered: InventoryMark,
): Acceptance {
  if (accepted === null) return 'changed';
  const same = offered.digest === accepted.digest;
  if (offered.sequence > accepted.sequence) return same ? 'unchanged' : 'changed';
  if (same) return 'repeat';
  throw new DomainError(
    'stale-inventory',
    `sequence: ${offered.sequence} must be above ${accepted.sequence}, the last one accepted`,
  );
}

const STATUS = /^[uihrp][nciHUFWt][ R]?$/;

/** @throws DomainError `invalid-inventory`, naming the package's index and the field */
export function assertPackages(packages: readonly InstalledPackage[]): void {
  const seen = new Set<string>();
  packages.forEach((each, index) => {
    const refuse = (field: string, rule: string) =>
      new DomainError('invalid-inventory', `packages[${index}].${field}: ${rule}`);
    if (!isVersion(each.version)) throw refuse('version', 'must be a Debian version');
    if (!isVersion(each.sourceVersion)) throw refuse('sourceVersion', 'must be a Debian version');
    if (!STATUS.test(each.status)) throw refuse('status', 'must be a dpkg status abbreviation');
    const key = packageKey(each);
    if (seen.has(key)) throw refuse('name', `${key} is listed twice`);
    seen.add(key);
  });
}

export function packageKey(of: Readonly<{ name: string; architecture: string }>): string {
  return `${of.name}:${of.architecture}`;
}

/** Files of it are on the system, configured or not; `rc` leaves configuration only. */
export function isPresent(status: string): boolean {
  return !['n', 'c'].includes(status.charAt(1));
}

/** dpkg did not finish with it, or says that it must be reinstalled. */
export function isBroken(status: string): boolean {
  return ['H', 'U', 'F'].includes(status.charAt(1)) || status.charAt(2) === 'R';
}

export type PackageDifference = Readonly<{
  /** New, or different in some field. */
  put: readonly InstalledPackage[];
  gone: readonly Readonly<{ name: string; architecture: string }>[];
}>;

export function differenceOf(
  before: readonly InstalledPackage[],
  after: readonly InstalledPackage[],
): PackageDifference {
  const known = new Map(before.map((each) => [packageKey(each), each]));
  const put = after.filter((each) => !isSamePackage(known.get(packageKey(each)), each));
  const kept = new Set(after.map(packageKey));
  return { put, gone: before.filter((each) => !kept.has(packageKey(each))) };
}

function isSamePackage(a: InstalledPackage | undefined, b: InstalledPackage): boolean {
  return (
    a !== undefined &&
    a.version === b.version &&
    a.sourceName === b.sourceName &&
    a.sourceVersion === b.sourceVersion &&
    a.status === b.status
  );
}
