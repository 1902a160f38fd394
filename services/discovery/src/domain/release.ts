import { readStanzas, type Stanza } from './deb822.js';
import { FeedRefusal } from './feed-refusal.js';

export type ReleaseFile = Readonly<{ sha256: string; size: number }>;

/** What a signed Release says of its archive. Instants are RFC 3339 in UTC. */
export type Release = Readonly<{
  origin: string;
  label: string;
  suite: string;
  codename: string;
  date: string;
  validUntil: string | null;
  acquireByHash: boolean;
  /** The archive is not meant to be taken from without being asked, as backports are. */
  notAutomatic: boolean;
  /** Packages for all architectures have an index of their own. */
  indexForAll: boolean;
  files: ReadonlyMap<string, ReleaseFile>;
}>;

/** @throws FeedRefusal `malformed-release`, naming the field */
export function parseRelease(text: string): Release {
  const stanzas = stanzasOf(text);
  const [stanza] = stanzas;
  if (stanza === undefined || stanzas.length !== 1) {
    throw new FeedRefusal('malformed-release', 'it must be exactly one paragraph');
  }
  const suite = stanza.get('Suite') ?? '';
  const validUntil = stanza.get('Valid-Until');
  return {
    origin: stanza.get('Origin') ?? '',
    label: stanza.get('Label') ?? '',
    suite,
    codename: stanza.get('Codename') ?? suite,
    date: instantOf('Date', required(stanza, 'Date')),
    validUntil: validUntil === undefined ? null : instantOf('Valid-Until', validUntil),
    acquireByHash: stanza.get('Acquire-By-Hash') === 'yes',
    notAutomatic: stanza.get('NotAutomatic') === 'yes',
    indexForAll:
      (stanza.get('Architectures') ?? '').split(' ').includes('all') &&
      stanza.get('No-Support-for-Architecture-all') !== 'Packages',
    files: filesOf(required(stanza, 'SHA256')),
  };
}

function stanzasOf(text: string): Stanza[] {
  try {
    return readStanzas(text);
  } catch (error) {
    if (error instanceof FeedRefusal) throw new FeedRefusal('malformed-release', error.detail);
    throw error;
  }
}

function required(stanza: Stanza, field: string): string {
  const value = stanza.get(field);
  if (value === undefined || value === '') {
    throw new FeedRefusal('malformed-release', `the field ${field} is missing`);
  }
  return value;
}

function instantOf(field: string, text: string): string {
  const ms = Date.parse(text);
  if (!/(?:UTC|GMT|\+0000)$/.test(text) || Number.isNaN(ms)) {
    throw new FeedRefusal('malformed-release', `the field ${field} must be a date in UTC`);
  }
  return new Date(ms).toISOString();
}

function filesOf(list: string): ReadonlyMap<string, ReleaseFile> {
  const files = new Map<string, ReleaseFile>();
  for (const line of list.split('\n')) {
    if (line.trim() === '') continue;
    const entry = /^([0-9a-f]{64})\s+(\d{1,12})\s+(\S+)$/.exec(line.trim());
    const [, sha256, size, path] = entry ?? [];
    if (sha256 === undefined || size === undefined || path === undefined) {
      throw new FeedRefusal('malformed-release', `the field SHA256 has the line ${line.trim()}`);
    }
    files.set(path, { sha256, size: Number(size) });
  }
  return files;
}

/**
 * Refuses a release that is expired, not yet valid, or older than the one in force: an attacker who
 * cannot sign can still serve yesterday's signature.
 * @throws FeedRefusal
 */
export function assertCurrent(release: Release, inForce: string | null, now: string): void {
  const at = Date.parse(now);
  if (release.validUntil !== null && Date.parse(release.validUntil) <= at) {
    throw new FeedRefusal('expired', `Valid-Until was ${release.validUntil}`);
  }
  if (Date.parse(release.date) > at + CLOCK_SKEW_MS) {
    throw new FeedRefusal('not-yet-valid', `Date is ${release.date}`);
  }
  if (inForce !== null && Date.parse(release.date) < Date.parse(inForce)) {
    throw new FeedRefusal('replayed', `Date is ${release.date}, before ${inForce}, now in force`);
  }
}

/** How far ahead of ours the clock of an archive may be. */
export const CLOCK_SKEW_MS = 86_400_000;

/**
 * Refuses the release of another suite: one key signs several, and whoever stands between may serve
 * any of them. A release that names no suite is taken for the one that was asked for.
 * @throws FeedRefusal
 */
export function assertSuite({ suite, codename }: Described, asked: string): void {
  // Old security archives are asked for as `stable/updates` and call themselves `stable`.
  const [distribution = asked] = asked.split('/');
  const names = [suite, codename].filter((name) => name !== '');
  if (names.length === 0 || names.includes(asked) || names.includes(distribution)) return;
  const detail = `Release is that of ${suite} (${codename}), not of ${asked}`;
  throw new FeedRefusal('other-suite', detail);
}

export type IndexFile = ReleaseFile & Readonly<{ path: string; packing: 'xz' | 'gz' | 'plain' }>;

/** The smallest listed form of the index, or `null` if the release lists none. */
export function indexFileOf(
  release: Release,
  component: string,
  architecture: string,
): IndexFile | null {
  const path = `${component}/binary-${architecture}/Packages`;
  for (const [suffix, packing] of [
    ['.xz', 'xz'],
    ['.gz', 'gz'],
    ['', 'plain'],
  ] as const) {
    const file = release.files.get(`${path}${suffix}`);
    if (file !== undefined) return { ...file, path: `${path}${suffix}`, packing };
  }
  return null;
}

type Described = Pick<Release, 'label' | 'suite' | 'codename'>;

/**
 * Whether the archive carries security updates only. A suite's name moves with every release
 * (`stable-security` became `oldstable-security`), so it counts only where it names the codename.
 */
export function isSecurityOrigin({ label, suite, codename }: Described): boolean {
  return (
    label === 'Debian-Security' ||
    codename.endsWith('-security') ||
    (codename !== '' && suite === `${codename}-security`)
  );
}

/** The distribution release that an archive's pockets belong to: `bookworm` of `bookworm-security`. */
export function distributionRelease(codename: string): string {
  return codename.replace(/-(?:security|updates)$/, '');
}
