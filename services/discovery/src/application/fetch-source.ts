import { inSpan } from '@patchtrail/telemetry';
import type { Archive, ArchiveAnswer } from './archive.js';
import type { Origin, Transact } from './ports.js';
import { applyAnswer, archiveRequest } from './sync-source.js';

export type SyncPorts = Readonly<{
  transact: Transact;
  archive: Archive;
  origin: () => Origin;
  signal: AbortSignal;
}>;

/** What the archive of a source serves now, outside any transaction; `null` for no such source. */
export async function fetchSource(
  { transact, archive, origin, signal }: SyncPorts,
  sourceId: string,
): Promise<ArchiveAnswer | null> {
  const from = origin();
  const source = await transact(from, async (tx) => {
    await tx.sources.attempted(sourceId, from.at);
    return tx.sources.find(sourceId);
  });
  return source === null ? null : archive.fetchRelease(archiveRequest(source, from.at), signal);
}

/** Syncs every source that was last tried longer ago than the interval; how many there were. */
export async function syncDueSources(ports: SyncPorts, intervalMs: number): Promise<number> {
  const from = ports.origin();
  const before = new Date(Date.parse(from.at) - intervalMs).toISOString();
  const due = await ports.transact(from, (tx) => tx.sources.due(before));
  for (const sourceId of due) {
    if (ports.signal.aborted) break;
    await inSpan('sync source', { kind: 'internal', parent: null }, () => sync(ports, sourceId));
  }
  return due.length;
}

async function sync(ports: SyncPorts, sourceId: string): Promise<void> {
  const answer = await fetchSource(ports, sourceId);
  if (answer === null) return;
  const origin = ports.origin();
  await ports.transact(origin, (tx) => applyAnswer(tx, sourceId, answer, origin.at));
}
