import { compareVersions, newestOf } from './debian-version.js';
import { type InstalledPackage, isPresent, packageKey } from './inventory.js';

/** One upgrade that the endpoint's own apt plans. */
export type PendingUpgrade = Readonly<{
  package: string;
  architecture: string;
  from: string;
  to: string;
  /** As apt prints them: `Debian-Security:12/oldstable-security`. */
  origins: readonly string[];
}>;

export type AptDifference = Readonly<{
  /** `name:architecture` */
  package: string;
  code:
    | 'not-in-index'
    | 'index-older'
    | 'index-newer'
    | 'held'
    | 'kept-back'
    | 'not-installed'
    | 'other-version-installed';
  detail: string;
}>;

export type AptCheck = Readonly<{
  agrees: boolean;
  /** Why the two could not be compared, or `null`. */
  problem: string | null;
  differences: readonly AptDifference[];
}>;

export type AptCheckInput = Readonly<{
  installed: readonly InstalledPackage[];
  pending: readonly PendingUpgrade[];
  holds: ReadonlySet<string>;
  /** Versions on offer from the admitted sources that the endpoint uses, by `name:architecture`. */
  offered: ReadonlyMap<string, readonly string[]>;
  aptProblem: string | null;
}>;

/** Compares what the endpoint's apt would upgrade with what the indexes in force imply. */
export function checkApt(input: AptCheckInput): AptCheck {
  if (input.aptProblem !== null) {
    return { agrees: false, problem: input.aptProblem, differences: [] };
  }
  const installed = new Map(
    input.installed.filter(({ status }) => isPresent(status)).map((p) => [packageKey(p), p]),
  );
  const planned = new Map(input.pending.map((p) => [plannedKey(p, installed), p]));
  const differences = [
    ...[...planned].flatMap(([key, upgrade]) =>
      judgePlanned(key, upgrade, installed.get(key), newestOf(input.offered.get(key) ?? [])),
    ),
    ...[...installed].flatMap(([key, each]) =>
      planned.has(key) ? [] : judgeUnplanned(key, each, input),
    ),
  ].sort((a, b) => (a.package < b.package ? -1 : 1));
  return { agrees: differences.length === 0, problem: null, differences };
}

/** A package may change between `all` and the machine's own architecture from one version to the next. */
function plannedKey(
  upgrade: PendingUpgrade,
  installed: ReadonlyMap<string, InstalledPackage>,
): string {
  const key = packageKey({ name: upgrade.package, architecture: upgrade.architecture });
  if (installed.has(key)) return key;
  const sameVersion = [...installed.values()].find(
    ({ name, version }) => name === upgrade.package && version === upgrade.from,
  );
  return sameVersion === undefined ? key : packageKey(sameVersion);
}

function judgePlanned(
  key: string,
  upgrade: PendingUpgrade,
  installed: InstalledPackage | undefined,
  newest: string | null,
): AptDifference[] {
  const origins = upgrade.origins.join(', ');
  if (installed === undefined) {
    return [{ package: key, code: 'not-installed', detail: `apt upgrades ${upgrade.from}` }];
  }
  if (installed.version !== upgrade.from) {
    const detail = `apt upgrades ${upgrade.from}, dpkg has ${installed.version}`;
    return [{ package: key, code: 'other-version-installed', detail }];
  }
  if (newest === null || compareVersions(newest, installed.version) <= 0) {
    const detail = `apt plans ${upgrade.to} from ${origins}, which no admitted source offers`;
    return [{ package: key, code: 'not-in-index', detail }];
  }
  const order = compareVersions(newest, upgrade.to);
  if (order === 0) return [];
  const detail = `apt plans ${upgrade.to} from ${origins}, the index offers ${newest}`;
  return [{ package: key, code: order < 0 ? 'index-older' : 'index-newer', detail }];
}

function judgeUnplanned(
  key: string,
  installed: InstalledPackage,
  { offered, holds }: AptCheckInput,
): AptDifference[] {
  const newest = newestOf(offered.get(key) ?? []);
  if (newest === null || compareVersions(newest, installed.version) <= 0) return [];
  const detail = `the index offers ${newest}, installed is ${installed.version}, apt plans nothing`;
  if (holds.has(key)) return [{ package: key, code: 'held', detail: `held; ${detail}` }];
  return [{ package: key, code: 'kept-back', detail }];
}
