import type { ChangelogEntry } from '../domain/changelog.js';
import type { FeedRefusalCode } from '../domain/feed-refusal.js';
import type { IndexPackage } from '../domain/index-package.js';
import type { Release } from '../domain/release.js';

/** What fetching an archive needs to know of an admitted source. */
export type ArchiveRequest = Readonly<{
  uri: string;
  suite: string;
  components: readonly string[];
  architectures: readonly string[];
  /** ASCII-armored or base64 OpenPGP keys. */
  keyring: string;
  inForce: Readonly<{ releaseDigest: string; releasedAt: string }> | null;
  now: string;
}>;

export type ArchiveAnswer =
  | Readonly<{ status: 'unchanged'; releaseDigest: string }>
  | Readonly<{
      status: 'new';
      releaseDigest: string;
      release: Release;
      packages: readonly IndexPackage[];
    }>
  | Readonly<{ status: 'refused'; code: FeedRefusalCode; detail: string }>;

export type DebReference = Readonly<{ uri: string; sha256: string; size: number }>;

/** What a verified package says of its source's uploads. */
export type DebChangelog =
  | Readonly<{ status: 'read'; entries: readonly ChangelogEntry[] }>
  /** Its documentation is that of a sibling package. */
  | Readonly<{ status: 'elsewhere'; package: string }>
  | Readonly<{ status: 'absent'; detail: string }>;

/** The port to package archives. */
export type Archive = Readonly<{
  /** Fingerprints of the keyring's keys, upper-case hex. @throws DomainError `invalid-keyring` */
  fingerprintsOf: (keyring: string) => Promise<readonly string[]>;
  /** Never throws for what an archive serves: that is a refusal. */
  fetchRelease: (request: ArchiveRequest, signal: AbortSignal) => Promise<ArchiveAnswer>;
  /** Verified against size and digest before it is read. @throws FeedRefusal */
  readChangelog: (deb: DebReference, signal: AbortSignal) => Promise<DebChangelog>;
}>;
