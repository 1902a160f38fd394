import type {
  DataOf,
  EndpointAttributes,
  EventDefinition,
  Patch,
  Selector,
} from '@patchtrail/contracts';
import type {
  Applicability,
  ApplicabilityChange,
  EndpointCondition,
} from '../domain/applicability.js';
import type { PendingUpgrade } from '../domain/apt-check.js';
import type { AssignedAttributes } from '../domain/endpoint-attributes.js';
import type { EnrolmentToken, Lifecycle } from '../domain/enrolment.js';
import type { IndexPackage } from '../domain/index-package.js';
import type { InstalledPackage, InventoryMark, PackageDifference } from '../domain/inventory.js';
import type { KevEntry } from '../domain/kev.js';
import type {
  Candidate,
  Offer,
  PatchArchive,
  PatchKey,
  PatchLine,
  Supersession,
} from '../domain/patch.js';
import type { Release } from '../domain/release.js';
import type { Archive, DebChangelog } from './archive.js';

/** Who caused what is done in one transaction, and when: RFC 3339 in UTC. */
export type Origin = Readonly<{
  actor: string;
  at: string;
  correlationId: string;
  causationId: string;
  traceparent: string;
}>;

export type Endpoint = Readonly<{
  endpointId: string;
  /** Of the attributes; 1 at enrolment. */
  revision: number;
  lifecycle: Lifecycle;
  attributes: EndpointAttributes;
  agentVersion: string;
  enrolledAt: string;
  lastSeenAt: string | null;
  /** When it was noticed that no inventory had come for too long; `null` with the next one. */
  staleSince: string | null;
}>;

export type EndpointStore = Readonly<{
  addToken(token: NewEnrolmentToken): Promise<void>;
  /** Locked until the transaction ends. */
  lockToken(tokenDigest: string): Promise<(EnrolmentToken & AssignedByToken) | null>;
  useToken(tokenId: string, endpointId: string, credentialDigest: string): Promise<void>;
  add(endpoint: Endpoint, credentialDigest: string): Promise<void>;
  find(endpointId: string): Promise<Endpoint | null>;
  /** Everything that changes an endpoint holds its row until the transaction ends. */
  lock(endpointId: string): Promise<Endpoint | null>;
  setAttributes(endpointId: string, attributes: EndpointAttributes): Promise<void>;
  retire(endpointId: string, reason: string): Promise<void>;
  /** Marks up to `limit` active endpoints that were last seen before, longest silent first. */
  markStale(before: string, at: string, limit: number): Promise<readonly string[]>;
  active(): Promise<readonly Endpoint[]>;
}>;

export type AssignedByToken = Readonly<{ tokenId: string; attributes: AssignedAttributes }>;
export type NewEnrolmentToken = AssignedByToken &
  Readonly<{ tokenDigest: string; expiresAt: string }>;

export type ReportedSource = Readonly<{
  uri: string;
  suite: string;
  components: readonly string[];
  keyFingerprints: readonly string[];
}>;

/** One report of an agent, as it arrived. */
export type InventoryReport = Readonly<{
  sequence: number;
  collectedAt: string;
  packages: readonly InstalledPackage[];
  /** `name:architecture` */
  holds: readonly string[];
  sources: readonly ReportedSource[];
  pendingUpgrades: readonly PendingUpgrade[];
  aptProblem: string | null;
  rebootRequired: boolean;
  rebootPackages: readonly string[];
  trustProblems: readonly string[];
  agentVersion: string;
}>;

/** The last inventory accepted from an endpoint, without its packages. */
export type Inventory = Omit<InventoryReport, 'packages'> &
  InventoryMark &
  Readonly<{ packageCount: number; receivedAt: string }>;

export type InventoryStore = Readonly<{
  find(endpointId: string): Promise<Inventory | null>;
  put(endpointId: string, inventory: Inventory): Promise<void>;
  /** A newer look at the same things. */
  seen(
    endpointId: string,
    mark: Readonly<{ sequence: number; collectedAt: string; receivedAt: string }>,
  ): Promise<void>;
  packages(endpointId: string): Promise<readonly InstalledPackage[]>;
  changePackages(endpointId: string, difference: PackageDifference): Promise<void>;
  changeSources(endpointId: string, sources: readonly ReportedSource[]): Promise<void>;
  /** Binary versions on offer from the admitted sources in use there, by `name:architecture`. */
  offeredVersions(endpointId: string): Promise<ReadonlyMap<string, readonly string[]>>;
}>;

export type PackageSource = Readonly<{
  sourceId: string;
  uri: string;
  suite: string;
  components: readonly string[];
  architectures: readonly string[];
  keyring: string;
  keyFingerprints: readonly string[];
  admittedAt: string;
  /** Of the index in force. */
  inForce: Readonly<{ releaseDigest: string; releasedAt: string; packageCount: number }> | null;
}>;

export type SourceStore = Readonly<{
  /** False if one with this place is admitted already. */
  add(source: PackageSource): Promise<boolean>;
  find(sourceId: string): Promise<PackageSource | null>;
  lock(sourceId: string): Promise<PackageSource | null>;
  /** Sources that nobody tried to fetch since `before`, oldest attempt first. */
  due(before: string): Promise<readonly string[]>;
  attempted(sourceId: string, at: string): Promise<void>;
  unchanged(sourceId: string, at: string): Promise<void>;
  failed(sourceId: string, code: string, detail: string, at: string): Promise<void>;
  /** Replaces the index as a whole. */
  replaceIndex(
    sourceId: string,
    index: Readonly<{
      release: Release;
      releaseDigest: string;
      packages: readonly IndexPackage[];
      at: string;
    }>,
  ): Promise<void>;
  /** Archives with an index in force, by source id. */
  archives(): Promise<ReadonlyMap<string, PatchArchive>>;
  packagesOf(
    sourceIds: readonly string[],
    sourcePackage: string,
    sourceVersion: string,
  ): Promise<readonly (IndexPackage & Readonly<{ sourceId: string }>)[]>;
}>;

/** `returning`: it, or what had superseded it, is withdrawn; `withdrawn`: it is. */
export type PatchRow = Readonly<{ patch: Patch; returning: boolean; withdrawn: boolean }>;

/** A patch with the versions of its source package that archives of its line carry. */
export type UnlistedPatch = PatchKey & Readonly<{ patchId: string; onOffer: readonly string[] }>;

export type ArchiveLines = readonly Readonly<{
  sourceId: string;
  vendor: string;
  release: string;
}>[];

export type PatchStore = Readonly<{
  /** Of two that record versions of a line, the second waits here and then sees the first's. */
  lockLine(line: PatchLine): Promise<void>;
  find(patchId: string): Promise<PatchRow | null>;
  put(patch: Patch, line: PatchLine): Promise<void>;
  /** Where the patch is on offer; true if that is news. */
  noteSources(patchId: string, sourceIds: readonly string[]): Promise<boolean>;
  /** Without those that are withdrawn. */
  line(
    line: PatchLine,
  ): Promise<readonly Readonly<{ patchId: string; sourceVersion: string; superseded: boolean }>[]>;
  supersede(supersession: Supersession): Promise<void>;
  /** Neither superseded nor withdrawn, and carried by none of these archives of its line. */
  unlisted(archives: ArchiveLines): Promise<readonly UnlistedPatch[]>;
  /** Carried by one of these archives of its line again, since withdrawn or since superseded by one that is. */
  returned(archives: ArchiveLines): Promise<readonly Candidate[]>;
  /** Those that nobody had withdrawn meanwhile. */
  withdraw(patchIds: readonly string[], at: string): Promise<ReadonlySet<string>>;
  /** Neither withdrawn nor superseded from here on. */
  offerAgain(patchId: string): Promise<void>;
  offers(endpointId: string): Promise<readonly Offer[]>;
  /** What was read of packages before, by the SHA-256 of the package. */
  changelog(sha256: string): Promise<DebChangelog | null>;
  keepChangelog(sha256: string, changelog: DebChangelog): Promise<void>;
}>;

export type PatchedPackages = Readonly<{
  patchId: string;
  sourcePackage: string;
  sourceVersion: string;
  withdrawn: boolean;
  installed: readonly InstalledPackage[];
}>;

export type ApplicabilityStore = Readonly<{
  rows(endpointId: string): Promise<readonly Applicability[]>;
  /** Each patch from a source in use there, with the installed packages that it carries. */
  patched(endpointId: string): Promise<readonly PatchedPackages[]>;
  condition(endpointId: string): Promise<EndpointCondition>;
  put(endpointId: string, changes: readonly ApplicabilityChange[], at: string): Promise<void>;
}>;

export type WorkKind = 'candidates' | 'applicability';
export type WorkItem = Readonly<{
  kind: WorkKind;
  endpointId: string;
  generation: string;
  /** `traceparent`s of what asked for it. */
  askedBy: readonly string[];
}>;

/** What is left to do per endpoint; it outlives the process, and doing it twice changes nothing. */
export type WorkQueue = Readonly<{
  add(kind: WorkKind, endpointId: string): Promise<void>;
  /** Of every active endpoint that uses the source. */
  addForSource(sourceId: string, only: 'all' | 'while-changelogs-are-unread'): Promise<void>;
  /** Of every active endpoint with a package of one of the source packages. */
  addForPackages(sourcePackages: readonly string[]): Promise<void>;
  next(kind: WorkKind, limit: number, now: string): Promise<readonly WorkItem[]>;
  /** Unless it was asked for again meanwhile. */
  done(items: readonly WorkItem[]): Promise<void>;
  /** Tried again at `retryAt`, or never if that is `null`. */
  failed(items: readonly WorkItem[], cause: string, now: string): Promise<void>;
}>;

export type DeviceGroup = Readonly<{ groupId: string; name: string; selector: Selector }>;

export type GroupStore = Readonly<{
  /** False if the name is taken. */
  add(group: DeviceGroup, at: string): Promise<boolean>;
}>;

export type KevStored = Readonly<{
  catalogVersion: string;
  releasedAt: string;
  entries: ReadonlyMap<string, KevEntry>;
}>;

export type SignalStore = Readonly<{
  /** Locked until the transaction ends, also when there is nothing yet. */
  lockKev(): Promise<KevStored | null>;
  putKev(
    catalogue: Readonly<{ catalogVersion: string; releasedAt: string; count: number }>,
    entries: readonly KevEntry[],
    at: string,
  ): Promise<void>;
}>;

/** The stores and the outbox, all in one transaction. */
export type Tx = Readonly<{
  endpoints: EndpointStore;
  inventories: InventoryStore;
  sources: SourceStore;
  patches: PatchStore;
  applicability: ApplicabilityStore;
  groups: GroupStore;
  signals: SignalStore;
  work: WorkQueue;
  publish<D extends EventDefinition>(
    definition: D,
    subject: Readonly<{ kind: string; id: string }>,
    data: DataOf<D>,
  ): Promise<void>;
}>;

export type Transact = <T>(origin: Origin, work: (tx: Tx) => Promise<T>) => Promise<T>;

/** What the background work on patches needs. */
export type DiscoveryPorts = Readonly<{
  transact: Transact;
  archive: Archive;
  origin: () => Origin;
  signal: AbortSignal;
}>;
