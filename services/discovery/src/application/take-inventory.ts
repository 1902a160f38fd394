import { digestOf, discovery } from '@patchtrail/contracts';
import { assertActive } from '../domain/enrolment.js';
import { acceptInventory, assertPackages, differenceOf, packageKey } from '../domain/inventory.js';
import { assessEndpoint } from './assess-endpoint.js';
import type { InventoryReport, Tx } from './ports.js';

export type TakenInventory = Readonly<{ sequence: number; changed: boolean }>;

/** Over what the report says, not over when it was said; the order of lists does not count. */
function inventoryDigest(report: InventoryReport): string {
  const { sources, pendingUpgrades, aptProblem, rebootRequired, trustProblems } = report;
  const sorted = [...report.packages].sort((a, b) => (packageKey(a) < packageKey(b) ? -1 : 1));
  return digestOf({
    ...{ sources, pendingUpgrades, aptProblem, rebootRequired, trustProblems },
    agentVersion: report.agentVersion,
    packages: sorted.map((each) => [
      packageKey(each),
      each.version,
      each.sourceName,
      each.sourceVersion,
      each.status,
    ]),
    holds: [...report.holds].sort(),
    rebootPackages: [...report.rebootPackages].sort(),
  });
}

/**
 * Takes an endpoint's report as its newest, or recognises it. `null` if there is no such endpoint.
 * @throws DomainError `stale-inventory`, `invalid-inventory`, `endpoint-retired`
 */
export async function takeInventory(
  tx: Tx,
  endpointId: string,
  report: InventoryReport,
  at: string,
): Promise<TakenInventory | null> {
  const endpoint = await tx.endpoints.lock(endpointId);
  if (endpoint === null) return null;
  assertActive(endpoint.lifecycle);
  const digest = inventoryDigest(report);
  const before = await tx.inventories.find(endpointId);
  const acceptance = acceptInventory(before, { sequence: report.sequence, digest });
  if (acceptance === 'repeat') {
    return { sequence: before?.sequence ?? report.sequence, changed: false };
  }
  if (acceptance === 'unchanged') {
    const { sequence, collectedAt } = report;
    await tx.inventories.seen(endpointId, { sequence, collectedAt, receivedAt: at });
    if (endpoint.staleSince !== null) await assessEndpoint(tx, endpointId, at);
    return { sequence: report.sequence, changed: false };
  }
  assertPackages(report.packages);
  await store(tx, endpointId, report, digest, at);
  await assessEndpoint(tx, endpointId, at);
  await tx.work.add('candidates', endpointId);
  return { sequence: report.sequence, changed: true };
}

async function store(
  tx: Tx,
  endpointId: string,
  report: InventoryReport,
  digest: string,
  at: string,
): Promise<void> {
  const { packages, ...rest } = report;
  const packageCount = packages.length;
  const known = await tx.inventories.packages(endpointId);
  await tx.inventories.changePackages(endpointId, differenceOf(known, packages));
  await tx.inventories.changeSources(endpointId, report.sources);
  await tx.inventories.put(endpointId, { ...rest, digest, packageCount, receivedAt: at });
  const { sequence, collectedAt, rebootRequired } = report;
  await tx.publish(
    discovery.InventoryChanged,
    { kind: 'endpoint', id: endpointId },
    { endpointId, sequence, collectedAt, digest, packageCount, rebootRequired },
  );
}
