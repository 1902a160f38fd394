import { discovery } from '@patchtrail/contracts';
import { applicabilityChanges, applicabilityOf } from '../domain/applicability.js';
import type { Tx } from './ports.js';

/**
 * Finds how an endpoint stands to every patch, and publishes the differences. The caller holds the
 * endpoint's lock, so that no two assessments of it cross.
 */
export async function assessEndpoint(tx: Tx, endpointId: string, at: string): Promise<void> {
  const inventory = await tx.inventories.find(endpointId);
  if (inventory === null) return;
  const condition = await tx.applicability.condition(endpointId);
  const before = await tx.applicability.rows(endpointId);
  const patched = await tx.applicability.patched(endpointId);
  const after = patched.flatMap(({ installed, ...patch }) => {
    const row = applicabilityOf(patch, installed, condition);
    return row === null ? [] : [row];
  });
  const changes = applicabilityChanges(before, after);
  if (changes.length === 0) return;
  await tx.applicability.put(endpointId, changes, at);
  await tx.publish(
    discovery.ApplicabilityChanged,
    { kind: 'endpoint', id: endpointId },
    {
      endpointId,
      inventorySequence: inventory.sequence,
      collectedAt: inventory.collectedAt,
      changes: changes.map(({ state, packages, ...rest }) => ({
        ...rest,
        to: state,
        packages: [...packages],
      })),
    },
  );
}
