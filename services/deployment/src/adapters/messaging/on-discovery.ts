import {
  type CloudEvent,
  CONSUMERS,
  type DataOf,
  discovery,
  isEvent,
  type Patch,
} from '@patchtrail/contracts';
import type { Bus } from '@patchtrail/messaging';
import type { Sql } from '@patchtrail/postgres';
import { setTimeout as pause } from 'node:timers/promises';

export const { group: FLEET_GROUP } = CONSUMERS.deploymentFleet;

/** Keeps what rollouts need to know of endpoints and patches; other events pass by. */
export async function onDiscovery(tx: Sql, message: CloudEvent): Promise<void> {
  if (isEvent(discovery.PatchDiscovered, message)) await savePatch(tx, message.data);
  else if (isEvent(discovery.PatchRevised, message)) await savePatch(tx, message.data);
  else if (isEvent(discovery.DeviceGroupChanged, message)) {
    const { groupId, selector } = message.data;
    await tx.run(SAVE_GROUP, [groupId, JSON.stringify(selector)]);
  } else await onEndpoint(tx, message);
}

async function onEndpoint(tx: Sql, message: CloudEvent): Promise<void> {
  if (isEvent(discovery.EndpointEnrolled, message)) {
    const { endpointId, attributes, credentialDigest } = message.data;
    await tx.run(SAVE_ENDPOINT, [endpointId, JSON.stringify(attributes), credentialDigest]);
  } else if (isEvent(discovery.EndpointAttributesChanged, message)) {
    const { endpointId, attributes } = message.data;
    await tx.run(SAVE_ENDPOINT, [endpointId, JSON.stringify(attributes), null]);
  } else if (isEvent(discovery.EndpointRetired, message)) {
    const { endpointId } = message.data;
    await tx.run('UPDATE endpoints SET retired = true WHERE endpoint_id = $1', [endpointId]);
  } else if (isEvent(discovery.ApplicabilityChanged, message)) {
    await saveNeeds(tx, message.data);
  }
}

async function savePatch(tx: Sql, patch: Patch): Promise<void> {
  const { patchId, revision, contentDigest, sourcePackage, sourceVersion, artifacts } = patch;
  const digests = [patchId, revision, contentDigest];
  await tx.run(SAVE_PATCH, [...digests, sourcePackage, sourceVersion, JSON.stringify(artifacts)]);
}

async function saveNeeds(
  tx: Sql,
  { endpointId, changes }: DataOf<typeof discovery.ApplicabilityChanged>,
): Promise<void> {
  const needed = changes.filter(({ to }) => to === 'MISSING' || to === 'FAILED');
  const met = changes.filter((change) => !needed.includes(change));
  await tx.run('DELETE FROM needed_patches WHERE endpoint_id = $1 AND patch_id = ANY($2::uuid[])', [
    endpointId,
    met.map(({ patchId }) => patchId),
  ]);
  await tx.run(
    `INSERT INTO needed_patches (endpoint_id, patch_id) SELECT $1, unnest($2::uuid[])
     ON CONFLICT DO NOTHING`,
    [endpointId, needed.map(({ patchId }) => patchId)],
  );
}

const SAVE_GROUP = `
  INSERT INTO device_groups (group_id, selector) VALUES ($1, $2::jsonb)
  ON CONFLICT (group_id) DO UPDATE SET selector = excluded.selector`;

/** A change of attributes says nothing of the credential. */
const SAVE_ENDPOINT = `
  INSERT INTO endpoints AS known (endpoint_id, attributes, credential_digest)
  VALUES ($1, $2::jsonb, $3)
  ON CONFLICT (endpoint_id) DO UPDATE SET attributes = excluded.attributes,
    credential_digest = coalesce(excluded.credential_digest, known.credential_digest)`;

const SAVE_PATCH = `
  INSERT INTO patches (patch_id, revision, content_digest, source_package, source_version,
                       artifacts)
  VALUES ($1, $2, $3, $4, $5, $6::jsonb) ON CONFLICT DO NOTHING`;

const SETTLE_DEADLINE_MS = 10_000;
const SETTLE_POLL_MS = 50;

/**
 * Waits until what discovery had published is known here: a cohort must not miss endpoints that its
 * approvers have seen. On a bus that never rests it gives up after ten seconds.
 */
export function fleetSettledOn(bus: Pick<Bus, 'lag'>, signal: AbortSignal): () => Promise<void> {
  return async () => {
    const deadline = performance.now() + SETTLE_DEADLINE_MS;
    while (performance.now() < deadline) {
      if ((await bus.lag(FLEET_GROUP, CONSUMERS.deploymentFleet.topics)) === 0n) return;
      await pause(SETTLE_POLL_MS, undefined, { signal });
    }
  };
}
