import { discovery } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import { assertNames, sourceLocation } from '../domain/source-location.js';
import type { Archive, ArchiveAnswer, ArchiveRequest } from './archive.js';
import type { PackageSource, Tx } from './ports.js';
import { withdrawPatches } from './withdraw-patches.js';

export type Admission = Readonly<{
  sourceId: string;
  uri: string;
  suite: string;
  components: readonly string[];
  architectures: readonly string[];
  keyring: string;
  at: string;
}>;

/**
 * Admits an archive for the whole fleet; it is fetched by its syncs.
 * @throws DomainError `invalid-source`, `invalid-keyring`, `source-already-admitted`
 */
export async function admitSource(
  tx: Tx,
  archive: Archive,
  admission: Admission,
): Promise<PackageSource> {
  const { sourceId, components, architectures, keyring, at } = admission;
  const { uri, suite } = sourceLocation(admission.uri, admission.suite);
  assertNames('components', components);
  assertNames('architectures', architectures);
  const keyFingerprints = await archive.fingerprintsOf(keyring);
  const source = { sourceId, uri, suite, components, architectures, keyring, keyFingerprints };
  const admitted = { ...source, admittedAt: at, inForce: null };
  if (!(await tx.sources.add(admitted))) {
    throw new DomainError('source-already-admitted', `uri, suite: ${uri} ${suite} is admitted`);
  }
  await tx.publish(
    discovery.SourceAdmitted,
    { kind: 'package-source', id: sourceId },
    {
      ...{ sourceId, uri, suite },
      components: [...components],
      architectures: [...architectures],
      keyFingerprints: [...keyFingerprints],
    },
  );
  return admitted;
}

export function archiveRequest(source: PackageSource, now: string): ArchiveRequest {
  const { uri, suite, components, architectures, keyring, inForce } = source;
  return { uri, suite, components, architectures, keyring, inForce, now };
}

export type SyncResult = Readonly<{
  status: 'synced' | 'unchanged' | 'failed';
  /** Of a failure. */
  code?: string;
  detail?: string;
  /** Of the index now in force. */
  releaseDigest: string | null;
  packageCount: number;
}>;

/**
 * Takes an archive's answer into force, or records why not. An answer that was overtaken by
 * another sync is not applied twice.
 */
export async function applyAnswer(
  tx: Tx,
  sourceId: string,
  answer: ArchiveAnswer,
  at: string,
): Promise<SyncResult | null> {
  const source = await tx.sources.lock(sourceId);
  if (source === null) return null;
  const before = {
    releaseDigest: source.inForce?.releaseDigest ?? null,
    packageCount: source.inForce?.packageCount ?? 0,
  };
  if (answer.status === 'refused') {
    await recordFailure(tx, sourceId, answer.code, answer.detail, at);
    return { status: 'failed', code: answer.code, detail: answer.detail, ...before };
  }
  if (answer.releaseDigest === before.releaseDigest || answer.status === 'unchanged') {
    await tx.sources.unchanged(sourceId, at);
    await tx.work.addForSource(sourceId, 'while-changelogs-are-unread');
    await withdrawPatches(tx, at);
    return { status: 'unchanged', ...before };
  }
  return takeIntoForce(tx, source, answer, at);
}

async function recordFailure(
  tx: Tx,
  sourceId: string,
  code: string,
  detail: string,
  at: string,
): Promise<void> {
  await tx.sources.failed(sourceId, code, detail, at);
  const subject = { kind: 'package-source', id: sourceId };
  await tx.publish(discovery.FeedFailed, subject, { sourceId, code, detail });
}

async function takeIntoForce(
  tx: Tx,
  { sourceId, inForce }: PackageSource,
  answer: Extract<ArchiveAnswer, { status: 'new' }>,
  at: string,
): Promise<SyncResult> {
  const { release, releaseDigest, packages } = answer;
  if (inForce !== null && Date.parse(release.date) < Date.parse(inForce.releasedAt)) {
    const detail = `Date is ${release.date}, before ${inForce.releasedAt}, now in force`;
    await recordFailure(tx, sourceId, 'replayed', detail, at);
    const { releaseDigest: kept, packageCount } = inForce;
    return { status: 'failed', code: 'replayed', detail, releaseDigest: kept, packageCount };
  }
  await tx.sources.replaceIndex(sourceId, { release, releaseDigest, packages, at });
  await tx.work.addForSource(sourceId, 'all');
  const packageCount = packages.length;
  await tx.publish(
    discovery.FeedSynced,
    { kind: 'package-source', id: sourceId },
    {
      sourceId,
      releaseDigest,
      releasedAt: release.date,
      validUntil: release.validUntil,
      packageCount,
    },
  );
  await withdrawPatches(tx, at);
  return { status: 'synced', releaseDigest, packageCount };
}
