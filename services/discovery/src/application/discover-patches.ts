import { digestOf, discovery, type Patch } from '@patchtrail/contracts';
import { v5 as uuidv5 } from 'uuid';
import {
  type Candidate,
  candidatesOf,
  compareArchives,
  nextRevision,
  type PatchArchive,
  type PatchArtifact,
  patchContent,
  patchLine,
  patchName,
  settledChangelog,
  supersessions,
  widestFrom,
} from '../domain/patch.js';
import { oldestOf } from '../domain/debian-version.js';
import type { DiscoveryPorts, PatchRow, Tx } from './ports.js';
import { readSpan } from './read-span.js';
import { linesOf } from './withdraw-patches.js';

/** Names a patch for ever; changing it would rename every patch. */
const PATCH_NAMESPACE = '5e7d7b8e-6f0b-4f43-9f0e-0a3d6c1b2f58';

function patchIdOf(key: Parameters<typeof patchName>[0]): string {
  return uuidv5(patchName(key), PATCH_NAMESPACE);
}

/**
 * The updates that the endpoints need, each once, from the oldest version it replaces on any; and
 * the patches that came back.
 */
export async function findCandidates(
  tx: Tx,
  endpointIds: readonly string[],
): Promise<readonly Candidate[]> {
  const archives = await tx.sources.archives();
  const returned = await tx.patches.returned(linesOf(archives.values()));
  const found = new Map(returned.map((candidate) => [patchName(candidate), candidate]));
  for (const endpointId of endpointIds) {
    for (const candidate of candidatesOf(await tx.patches.offers(endpointId), archives)) {
      const name = patchName(candidate);
      const known = found.get(name) ?? candidate;
      const fromVersion = oldestOf([known.fromVersion, candidate.fromVersion]);
      found.set(name, { ...candidate, fromVersion: fromVersion ?? candidate.fromVersion });
    }
  }
  return [...found.values()];
}

/**
 * Records a candidate as a patch, or revises the one that is known. Packages are read between two
 * transactions, never inside one.
 */
export async function considerCandidate(ports: DiscoveryPorts, found: Candidate): Promise<void> {
  const patchId = patchIdOf(found);
  const { known, offered } = await ports.transact(ports.origin(), async (tx) => ({
    known: await tx.patches.find(patchId),
    offered: await offeredBy(tx, found),
  }));
  // The index moved on since; whoever still needs an update is a candidate for a newer one.
  if (offered === null) return;
  const fromVersion = widestFrom(known?.patch.fromVersion ?? null, found.fromVersion);
  const candidate = { ...found, fromVersion };
  const span = await readSpan(ports, candidate, offered.artifacts);
  const read = settledChangelog(known?.patch.changelog ?? null, span);
  const content = patchContent(candidate, offered.archive, offered.artifacts, read);
  const { cves, artifacts, ...rest } = content;
  const whole = { ...rest, cves: [...cves], artifacts: [...artifacts] };
  await ports.transact(ports.origin(), (tx) =>
    record(tx, candidate, offered.sourceIds, { patchId, ...whole }, ports.origin().at),
  );
}

type Offered = Readonly<{
  archive: PatchArchive;
  sourceIds: readonly string[];
  artifacts: readonly PatchArtifact[];
}>;

/** Every archive of the line that carries the version; the artifacts are those of the first. */
async function offeredBy(tx: Tx, candidate: Candidate): Promise<Offered | null> {
  const archives = [...(await tx.sources.archives()).values()].filter((archive) => {
    const line = patchLine(archive, candidate.sourcePackage);
    return line.vendor === candidate.vendor && line.release === candidate.release;
  });
  const packages = await tx.sources.packagesOf(
    archives.map(({ sourceId }) => sourceId),
    candidate.sourcePackage,
    candidate.sourceVersion,
  );
  const carrying = new Set(packages.map(({ sourceId }) => sourceId));
  const offering = archives.filter(({ sourceId }) => carrying.has(sourceId)).sort(compareArchives);
  const [archive] = offering;
  if (archive === undefined) return null;
  const artifacts = packages
    .filter(({ sourceId }) => sourceId === archive.sourceId)
    .map(({ package: name, version, architecture, filename, sha256, size }) => ({
      ...{ package: name, version, architecture, sha256, size },
      uri: `${archive.uri}/${filename}`,
    }));
  return { archive, artifacts, sourceIds: offering.map(({ sourceId }) => sourceId) };
}

type FoundPatch = Omit<Patch, 'revision' | 'contentDigest' | 'discoveredAt'>;

async function record(
  tx: Tx,
  candidate: Candidate,
  sourceIds: readonly string[],
  { patchId, ...content }: FoundPatch,
  at: string,
): Promise<void> {
  await tx.patches.lockLine(candidate);
  const known = await tx.patches.find(patchId);
  const contentDigest = digestOf(content);
  const { patch: before = null, returning = false } = known ?? {};
  const revision = nextRevision(before, contentDigest, returning);
  if (revision !== null) {
    const discoveredAt = before?.discoveredAt ?? at;
    const patch = { patchId, revision, contentDigest, ...content, discoveredAt };
    await tx.patches.put(patch, candidate);
    if (returning) await tx.patches.offerAgain(patchId);
    await publish(tx, patch, known);
  }
  const elsewhere = await tx.patches.noteSources(patchId, sourceIds);
  if (revision === null && !elsewhere) return;
  await supersede(tx, candidate);
  await tx.work.addForPackages([candidate.sourcePackage]);
}

async function publish(tx: Tx, patch: Patch, known: PatchRow | null): Promise<void> {
  const subject = { kind: 'patch', id: patch.patchId };
  // A revision alone brings back what others hold for withdrawn, not what they hold for superseded.
  if (known !== null && known.returning && !known.withdrawn) {
    const reason = `the patch that superseded ${patch.vendorKey} is withdrawn`;
    await tx.publish(discovery.PatchWithdrawn, subject, { patchId: patch.patchId, reason });
  }
  const event = known === null ? discovery.PatchDiscovered : discovery.PatchRevised;
  await tx.publish(event, subject, patch);
}

async function supersede(tx: Tx, candidate: Candidate): Promise<void> {
  for (const supersession of supersessions(await tx.patches.line(candidate))) {
    await tx.patches.supersede(supersession);
    const subject = { kind: 'patch', id: supersession.patchId };
    await tx.publish(discovery.PatchSuperseded, subject, supersession);
  }
}
