import { compareVersions, oldestOf } from './debian-version.js';
import { type InstalledPackage, isBroken, isPresent, packageKey } from './inventory.js';

/** Compliance states that discovery finds, in AWS Systems Manager's names. */
export type FoundState =
  'INSTALLED' | 'INSTALLED_PENDING_REBOOT' | 'MISSING' | 'FAILED' | 'NOT_APPLICABLE';

export type Applicability = Readonly<{
  patchId: string;
  state: FoundState;
  /** Why, with the versions compared. */
  reason: string;
  /** The source version that decided, or `null` where nothing is installed. */
  installedVersion: string | null;
  /** `name:architecture` of the installed binary packages that the patch carries. */
  packages: readonly string[];
}>;

export type ApplicablePatch = Readonly<{
  patchId: string;
  sourcePackage: string;
  sourceVersion: string;
}>;

/** What besides package versions an endpoint reports of its own state. */
export type EndpointCondition = Readonly<{
  /** `name:architecture` */
  holds: ReadonlySet<string>;
  rebootRequired: boolean;
  /** Names of binary packages that want the reboot. */
  rebootPackages: ReadonlySet<string>;
}>;

/**
 * How one endpoint stands to one patch, or `null` if nothing of it is installed there.
 * `installed` holds the endpoint's packages that the patch carries, by name and architecture.
 * Source versions are compared: a rebuild (`5.2-2+b1`) of a source is not a version of it.
 */
export function applicabilityOf(
  patch: ApplicablePatch,
  installed: readonly InstalledPackage[],
  condition: EndpointCondition,
): Applicability | null {
  const present = installed.filter(
    (each) => each.sourceName === patch.sourcePackage && isPresent(each.status),
  );
  const oldest = oldestOf(present.map(({ sourceVersion }) => sourceVersion));
  if (oldest === null) return null;
  const { state, reason } = judge(patch, present, oldest, condition);
  const packages = present.map(packageKey).sort();
  return { patchId: patch.patchId, state, reason, installedVersion: oldest, packages };
}

function judge(
  patch: ApplicablePatch,
  present: readonly InstalledPackage[],
  oldest: string,
  condition: EndpointCondition,
): Readonly<{ state: FoundState; reason: string }> {
  const target = `${patch.sourcePackage} ${patch.sourceVersion}`;
  const order = (each: InstalledPackage) =>
    compareVersions(each.sourceVersion, patch.sourceVersion);
  const broken = present.filter((each) => isBroken(each.status) && order(each) >= 0);
  if (broken.length > 0) {
    const list = broken.map((each) => `${packageKey(each)} (${each.status.trim()})`).join(', ');
    return { state: 'FAILED', reason: `${target} is unpacked but not configured: ${list}` };
  }
  const below = present.filter((each) => order(each) < 0);
  if (below.length > 0) {
    const held = below.map(packageKey).filter((key) => condition.holds.has(key));
    const hold = held.length === 0 ? '' : `; held on the endpoint: ${held.join(', ')}`;
    return { state: 'MISSING', reason: `installed ${oldest} is below ${target}${hold}` };
  }
  const waiting = present.filter(({ name }) => condition.rebootPackages.has(name));
  if (condition.rebootRequired && waiting.length > 0) {
    const list = waiting.map(packageKey).join(', ');
    return {
      state: 'INSTALLED_PENDING_REBOOT',
      reason: `installed ${oldest} fulfils ${target}; a reboot is wanted by ${list}`,
    };
  }
  return { state: 'INSTALLED', reason: `installed ${oldest} fulfils ${target}` };
}

export type ApplicabilityChange = Applicability & Readonly<{ from: FoundState | null }>;

/** What changed, in the order of patch ids; a row that went is now NOT_APPLICABLE. */
export function applicabilityChanges(
  before: readonly Applicability[],
  after: readonly Applicability[],
): ApplicabilityChange[] {
  const known = new Map(before.map((row) => [row.patchId, row]));
  const left = new Set(after.map(({ patchId }) => patchId));
  const changed = after.flatMap((row) => {
    const previous = known.get(row.patchId);
    if (previous !== undefined && isSameRow(previous, row)) return [];
    return [{ ...row, from: previous?.state ?? null }];
  });
  const gone = before
    .filter(({ patchId }) => !left.has(patchId))
    .map(({ patchId, state }) => ({
      patchId,
      from: state,
      state: 'NOT_APPLICABLE' as const,
      reason: 'nothing of the patch is installed any more, or its source is not used',
      installedVersion: null,
      packages: [],
    }));
  return [...changed, ...gone].sort((a, b) => (a.patchId < b.patchId ? -1 : 1));
}

function isSameRow(a: Applicability, b: Applicability): boolean {
  return (
    a.state === b.state &&
    a.reason === b.reason &&
    a.installedVersion === b.installedVersion &&
    a.packages.join(' ') === b.packages.join(' ')
  );
}
