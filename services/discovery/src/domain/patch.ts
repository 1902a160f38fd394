import { compareVersions, oldestOf } from './debian-version.js';
import { distributionRelease, isSecurityOrigin } from './release.js';

/** The archive that a patch comes from, as its signed Release names it. */
export type PatchArchive = Readonly<{
  sourceId: string;
  uri: string;
  origin: string;
  label: string;
  suite: string;
  codename: string;
}>;

/** Pockets of one release (`bookworm`, `bookworm-security`) carry the same patches. */
export type PatchLine = Readonly<{ vendor: string; release: string; sourcePackage: string }>;

export type PatchKey = PatchLine & Readonly<{ sourceVersion: string }>;

/** A binary package on an endpoint beside one that an archive in use there offers. */
export type Offer = Readonly<{
  package: string;
  architecture: string;
  sourcePackage: string;
  installedSourceVersion: string;
  offeredSourceVersion: string;
  sourceId: string;
}>;

/** An update that somebody needs. `fromVersion` is the oldest that it replaces there. */
export type Candidate = PatchKey & Readonly<{ fromVersion: string }>;

export function patchLine(archive: PatchArchive, sourcePackage: string): PatchLine {
  return {
    vendor: archive.origin === '' ? 'unknown' : archive.origin.toLowerCase(),
    release: distributionRelease(archive.codename),
    sourcePackage,
  };
}

/** The name from which a patch's id is derived. */
export function patchName(key: PatchKey): string {
  return `${key.vendor}|${key.release}|${key.sourcePackage}@${key.sourceVersion}`;
}

/** The newest update that is on offer for each installed binary package, gathered by source. */
export function candidatesOf(
  offers: readonly Offer[],
  archives: ReadonlyMap<string, PatchArchive>,
): Candidate[] {
  const best = new Map<string, Offer>();
  for (const offer of offers) {
    if (compareVersions(offer.offeredSourceVersion, offer.installedSourceVersion) <= 0) continue;
    const key = `${offer.package}:${offer.architecture}`;
    const known = best.get(key);
    if (known === undefined || isBetter(offer, known, archives)) best.set(key, offer);
  }
  const found = new Map<string, Candidate>();
  for (const offer of best.values()) {
    const archive = archives.get(offer.sourceId);
    if (archive === undefined) continue;
    const line = patchLine(archive, offer.sourcePackage);
    const key = { ...line, sourceVersion: offer.offeredSourceVersion };
    const name = patchName(key);
    const before = found.get(name)?.fromVersion ?? offer.installedSourceVersion;
    const fromVersion = oldestOf([before, offer.installedSourceVersion]) ?? before;
    found.set(name, { ...key, fromVersion });
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, candidate]) => candidate);
}

function isBetter(
  offer: Offer,
  known: Offer,
  archives: ReadonlyMap<string, PatchArchive>,
): boolean {
  const order = compareVersions(offer.offeredSourceVersion, known.offeredSourceVersion);
  if (order !== 0) return order > 0;
  const [a, b] = [archives.get(offer.sourceId), archives.get(known.sourceId)];
  return a !== undefined && (b === undefined || compareArchives(a, b) < 0);
}

/** Security archives first, then by place: the same order on every run. */
export function compareArchives(a: PatchArchive, b: PatchArchive): number {
  const rank = Number(isSecurityOrigin(b)) - Number(isSecurityOrigin(a));
  if (rank !== 0) return rank;
  return placeOf(a) < placeOf(b) ? -1 : Number(placeOf(a) > placeOf(b));
}

const placeOf = ({ uri, suite, sourceId }: PatchArchive) => `${uri} ${suite} ${sourceId}`;

export type PatchArtifact = Readonly<{
  package: string;
  version: string;
  architecture: string;
  uri: string;
  sha256: string;
  size: number;
}>;

export type PatchChangelog = Readonly<{ status: 'verified' | 'unavailable'; detail: string }>;

/** What an approver sees of a patch, and what its content digest covers. */
export type PatchContent = Readonly<{
  vendor: string;
  vendorKey: string;
  title: string;
  sourcePackage: string;
  sourceVersion: string;
  fromVersion: string;
  sourceId: string;
  origin: string;
  label: string;
  suite: string;
  codename: string;
  securityOrigin: boolean;
  cves: readonly string[];
  changelog: PatchChangelog;
  artifacts: readonly PatchArtifact[];
}>;

export function patchContent(
  { vendor, sourcePackage, sourceVersion, fromVersion }: Candidate,
  archive: PatchArchive,
  artifacts: readonly PatchArtifact[],
  { cves, ...changelog }: PatchChangelog & Readonly<{ cves: readonly string[] }>,
): PatchContent {
  const { sourceId, origin, label, suite, codename } = archive;
  return {
    vendor,
    vendorKey: `${sourcePackage}@${sourceVersion}`,
    title: `${sourcePackage} ${sourceVersion}`,
    sourcePackage,
    sourceVersion,
    fromVersion,
    ...{ sourceId, origin, label, suite, codename },
    securityOrigin: isSecurityOrigin(archive),
    cves: [...new Set(cves)].sort(),
    changelog,
    artifacts: [...artifacts].sort((a, b) => (artifactName(a) < artifactName(b) ? -1 : 1)),
  };
}

const artifactName = (artifact: PatchArtifact) =>
  `${artifact.package} ${artifact.architecture} ${artifact.version}`;

/**
 * What to say of the changelog now. Why one could not be read differs from try to try; that alone
 * makes no revision.
 */
export function settledChangelog<C extends PatchChangelog>(
  known: PatchChangelog | null,
  read: C,
): C {
  if (known === null || known.status === 'verified' || read.status === 'verified') return read;
  return { ...read, detail: known.detail };
}

export type PatchRevisionMark = Readonly<{ revision: number; contentDigest: string }>;

/**
 * The revision to record, or `null` if the content is the one that is known. A patch that is offered
 * again gets one in any case.
 */
export function nextRevision(
  known: PatchRevisionMark | null,
  contentDigest: string,
  returning = false,
): number | null {
  if (known === null) return 1;
  return known.contentDigest === contentDigest && !returning ? null : known.revision + 1;
}

/** A span once named stays named: the oldest version that the patch was ever found to replace. */
export function widestFrom(known: string | null, found: string): string {
  return oldestOf(known === null ? [found] : [known, found]) ?? found;
}

type LinePatch = Readonly<{ patchId: string; sourceVersion: string; superseded: boolean }>;
export type Supersession = Readonly<{ patchId: string; supersededBy: string }>;

/** Every patch of one line that is not the newest, and not yet marked, gives way to the newest. */
export function supersessions(line: readonly LinePatch[]): Supersession[] {
  const [newest, ...older] = [...line].sort((a, b) =>
    compareVersions(b.sourceVersion, a.sourceVersion),
  );
  if (newest === undefined) return [];
  return older
    .filter(({ superseded }) => !superseded)
    .map(({ patchId }) => ({ patchId, supersededBy: newest.patchId }));
}

/**
 * Patches that nobody can get any more. One that gave way to a newer version is not withdrawn: the
 * newer one supersedes it as soon as it is found.
 */
export function withdrawals<
  P extends Readonly<{ sourceVersion: string; onOffer: readonly string[] }>,
>(unlisted: readonly P[]): P[] {
  return unlisted.filter(({ sourceVersion, onOffer }) =>
    onOffer.every((version) => compareVersions(version, sourceVersion) < 0),
  );
}
