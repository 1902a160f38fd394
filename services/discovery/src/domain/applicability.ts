import { compareVersions, oldestOf } from './debian-version.js';
import { type InstalledPackage, isBroken, isPresent, packageKey } from './inventory.js';

/** Compliance states that discovery finds, in AWS Systems Manager's names. */
export type FoundState =
  | 'INSTALLED'
  | 'INSTALLED_PENDING_REBOOT'
  | 'MISSING'
  | 'FAILED'
  | 'NOT_APPLICABLE'
  /** What was reported is too old to go by. */
  | 'UNKNOWN';

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
  /** No archive of its line carries it any more. */
  withdrawn: boolean;
}>;

/** What besides package versions counts of an endpoint's own state. */
export type EndpointCondition = Readonly<{
  /** `name:architecture` */
  holds: ReadonlySet<string>;
  rebootRequired: boolean;
  /** Names of binary packages that want the reboot. */
  rebootPackages: ReadonlySet<string>;
  /** Since when its reports are too old, and when the last one came; `null` while they are not. */
  silence: Readonly<{ lastSeenAt: string; noticedAt: string }> | null;
}>;

/**
 * How one endpoint stands to one patch, or `null` if nothing of it is installed there.
 * `installed` holds the endpoint's packages that the patch carries, by name and architecture.
 * Source versions are compared: a rebuild (`5.2-2+b1`) of a source is not a version of it. Nobody
 * needs a withdrawn patch, and what a silent endpoint needs is unknown.
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
  const judged = judge(patch, present, oldest, condition);
  const { state, reason } = unlessWithdrawn(patch, judged) ?? unlessSilent(condition, judged);
  const packages = present.map(packageKey).sort();
  return { patchId: patch.patchId, state, reason, installedVersion: oldest, packages };
}

type Judgement = Readonly<{ state: FoundState; reason: string }>;

/** Where a withdrawn patch is installed stays known. */
function unlessWithdrawn(patch: ApplicablePatch, { state }: Judgement): Judgement | null {
  if (!patch.withdrawn || (state !== 'MISSING' && state !== 'FAILED')) return null;
  const { sourcePackage, sourceVersion } = patch;
  const reason = `${sourcePackage} ${sourceVersion} is withdrawn: no archive carries it any more`;
  return { state: 'NOT_APPLICABLE', reason };
}

function unlessSilent({ silence }: EndpointCondition, judged: Judgement): Judgement {
  if (silence === null) return judged;
  const { lastSeenAt, noticedAt } = silence;
  const age = ageText(Date.parse(noticedAt) - Date.parse(lastSeenAt));
  const reason = `no inventory for ${age}, last seen ${lastSeenAt}; then: ${judged.reason}`;
  return { state: 'UNKNOWN', reason };
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
] as const;

/** In the largest whole unit. */
function ageText(ms: number): string {
  const [unit, length] = UNITS.find(([, unitMs]) => ms >= unitMs) ?? (['s', 1_000] as const);
  return `${Math.floor(ms / length)} ${unit}`;
}

function judge(
  patch: ApplicablePatch,
  present: readonly InstalledPackage[],
  oldest: string,
  condition: EndpointCondition,
): Judgement {
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
    if (previous === undefined && row.state === 'NOT_APPLICABLE') return [];
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
