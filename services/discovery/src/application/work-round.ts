import { currentTraceparent, inSpan, type SpanOptions } from '@patchtrail/telemetry';
import type { Candidate } from '../domain/patch.js';
import { assessEndpoint } from './assess-endpoint.js';
import { considerCandidate, findCandidates } from './discover-patches.js';
import { noteSilence } from './note-silence.js';
import type { DiscoveryPorts, WorkItem } from './ports.js';

const ENDPOINTS_PER_ROUND_MAX = 50;
const PACKAGES_AT_ONCE_MAX = 2;
const LINKS_MAX = 100;

export type RoundReport = Readonly<{ done: number; failures: readonly string[] }>;

/** Finds patches for endpoints that changed, then assesses what these concern and who fell silent. */
export async function workRound(ports: DiscoveryPorts, staleAfterMs: number): Promise<RoundReport> {
  await noteSilence(ports, staleAfterMs);
  const found = await findPatches(ports);
  const assessed = await assessEndpoints(ports);
  return { done: found.done + assessed.done, failures: [...found.failures, ...assessed.failures] };
}

async function findPatches(ports: DiscoveryPorts): Promise<RoundReport> {
  const items = await nextOf(ports, 'candidates');
  if (items.length === 0) return { done: 0, failures: [] };
  return inSpan('work candidates', askedFor(items), () => considerAll(ports, items));
}

async function considerAll(
  ports: DiscoveryPorts,
  items: readonly WorkItem[],
): Promise<RoundReport> {
  const endpointIds = items.map(({ endpointId }) => endpointId);
  const candidates = await ports.transact(ports.origin(), (tx) => findCandidates(tx, endpointIds));
  const failures: string[] = [];
  const left = [...candidates];
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      if (ports.signal.aborted) return;
      try {
        await discoverOne(ports, next);
      } catch (error) {
        failures.push(`${next.sourcePackage} ${next.sourceVersion}: ${messageOf(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: PACKAGES_AT_ONCE_MAX }, worker));
  // Stopped half-way: the items stay, and the next process takes them up.
  if (ports.signal.aborted) return { done: 0, failures };
  // First, for who is killed in between finds the items again.
  await assessLater(ports, endpointIds);
  await settle(ports, items, failures);
  return { done: items.length, failures };
}

/** In a trace of its own: whatever becomes of a patch follows from here. */
function discoverOne(ports: DiscoveryPorts, candidate: Candidate): Promise<void> {
  const attributes = { 'patchtrail.source.package': candidate.sourcePackage };
  const links = [currentTraceparent()];
  const options = { kind: 'internal', parent: null, links, attributes } as const;
  return inSpan('discover patch', options, () => considerCandidate(ports, candidate));
}

/**
 * A patch recorded while an inventory was being taken has seen neither that inventory nor been seen
 * by it; now both are there.
 */
async function assessLater(
  { transact, origin }: DiscoveryPorts,
  endpointIds: readonly string[],
): Promise<void> {
  await transact(origin(), async (tx) => {
    // In the one order of endpoints in which work is queued everywhere.
    for (const id of endpointIds.toSorted()) await tx.work.add('applicability', id);
  });
}

async function assessEndpoints(ports: DiscoveryPorts): Promise<RoundReport> {
  const items = await nextOf(ports, 'applicability');
  const failures: string[] = [];
  for (const item of items) {
    if (ports.signal.aborted) break;
    try {
      await inSpan('work applicability', askedFor([item]), () => assessOne(ports, item));
    } catch (error) {
      const failure = `${item.endpointId}: ${messageOf(error)}`;
      failures.push(failure);
      await settle(ports, [item], [failure]);
    }
  }
  return { done: items.length, failures };
}

async function assessOne(ports: DiscoveryPorts, item: WorkItem): Promise<void> {
  const origin = ports.origin();
  await ports.transact(origin, async (tx) => {
    const endpoint = await tx.endpoints.lock(item.endpointId);
    if (endpoint?.lifecycle === 'active') await assessEndpoint(tx, item.endpointId, origin.at);
    await tx.work.done([item]);
  });
}

async function nextOf(
  { transact, origin }: DiscoveryPorts,
  kind: WorkItem['kind'],
): Promise<readonly WorkItem[]> {
  const from = origin();
  return transact(from, (tx) => tx.work.next(kind, ENDPOINTS_PER_ROUND_MAX, from.at));
}

async function settle(
  { transact, origin }: DiscoveryPorts,
  items: readonly WorkItem[],
  failures: readonly string[],
): Promise<void> {
  const from = origin();
  await transact(from, (tx) =>
    failures.length === 0
      ? tx.work.done(items)
      : tx.work.failed(items, failures.join('; '), from.at),
  );
}

function askedFor(items: readonly WorkItem[]): SpanOptions {
  const askers = new Set(items.flatMap(({ askedBy }) => askedBy));
  const attributes = { 'patchtrail.batch.endpoints': items.length };
  return { kind: 'consumer', parent: null, links: [...askers].slice(-LINKS_MAX), attributes };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
