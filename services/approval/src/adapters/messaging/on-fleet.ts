import {
  type CloudEvent,
  CONSUMERS,
  type DataOf,
  discovery,
  isEvent,
  prioritization,
  type Patch,
  type PriorityDecision,
} from '@patchtrail/contracts';
import type { Sql } from '@patchtrail/postgres';

export const { group: FLEET_GROUP } = CONSUMERS.approval;

/** Keeps this service's own view of patches, endpoints and priorities; other events pass by. */
export async function onFleet(tx: Sql, message: CloudEvent): Promise<void> {
  if (message.type.startsWith('org.patchtrail.prioritization.')) return onDecision(tx, message);
  if (message.type.startsWith('org.patchtrail.discovery.Patch')) return onPatch(tx, message);
  return onEndpoint(tx, message);
}

async function onPatch(tx: Sql, message: CloudEvent): Promise<void> {
  if (isEvent(discovery.PatchDiscovered, message)) await savePatch(tx, message.data);
  else if (isEvent(discovery.PatchRevised, message)) await savePatch(tx, message.data);
  else if (isEvent(discovery.PatchSuperseded, message)) {
    await endPatch(tx, message.data.patchId, 'superseded');
  } else if (isEvent(discovery.PatchWithdrawn, message)) {
    await endPatch(tx, message.data.patchId, 'withdrawn');
  }
}

async function onEndpoint(tx: Sql, message: CloudEvent): Promise<void> {
  if (isEvent(discovery.EndpointEnrolled, message)) await saveEndpoint(tx, message.data);
  else if (isEvent(discovery.EndpointAttributesChanged, message)) {
    await saveEndpoint(tx, message.data);
  } else if (isEvent(discovery.EndpointRetired, message)) {
    const sql = 'UPDATE endpoints SET retired = true WHERE endpoint_id = $1';
    await tx.run(sql, [message.data.endpointId]);
  } else if (isEvent(discovery.ApplicabilityChanged, message)) {
    await saveMissing(tx, message.data);
  } else if (isEvent(discovery.DeviceGroupChanged, message)) {
    const { groupId, selector } = message.data;
    await tx.run(SAVE_GROUP, [groupId, JSON.stringify(selector)]);
  }
}

async function onDecision(tx: Sql, message: CloudEvent): Promise<void> {
  if (isEvent(prioritization.PatchPrioritized, message)) await saveDecision(tx, message.data);
  else if (isEvent(prioritization.PatchReprioritized, message)) {
    await saveDecision(tx, message.data);
  }
}

async function savePatch(tx: Sql, patch: Patch): Promise<void> {
  await tx.run(SAVE_PATCH, [
    patch.patchId,
    patch.revision,
    patch.contentDigest,
    patch.vendor,
    patch.sourcePackage,
    patch.suite,
    patch.securityOrigin,
    patch.cves.length,
  ]);
}

async function endPatch(tx: Sql, patchId: string, status: string): Promise<void> {
  await tx.run('UPDATE patches SET status = $2 WHERE patch_id = $1', [patchId, status]);
}

async function saveEndpoint(
  tx: Sql,
  { endpointId, attributes }: DataOf<typeof discovery.EndpointAttributesChanged>,
): Promise<void> {
  await tx.run(SAVE_ENDPOINT, [endpointId, JSON.stringify(attributes)]);
}

async function saveMissing(
  tx: Sql,
  { endpointId, changes }: DataOf<typeof discovery.ApplicabilityChanged>,
): Promise<void> {
  const isMissing = ({ to }: (typeof changes)[number]) => to === 'MISSING' || to === 'FAILED';
  const ids = (missing: boolean) =>
    changes.filter((change) => isMissing(change) === missing).map(({ patchId }) => patchId);
  await tx.run(NO_LONGER_MISSING, [endpointId, ids(false)]);
  await tx.run(NOW_MISSING, [endpointId, ids(true)]);
}

async function saveDecision(tx: Sql, decision: PriorityDecision): Promise<void> {
  await tx.run(SAVE_DECISION, [
    decision.patchId,
    decision.exposure,
    decision.businessImpact,
    decision.patchRevision,
    decision.decisionId,
    decision.category,
    decision.provisional,
    decision.dueAt,
  ]);
}

/** An older revision never replaces a newer one; a withdrawn patch comes back with a revision. */
const SAVE_PATCH = `
  INSERT INTO patches (patch_id, revision, content_digest, status, vendor, source_package, suite,
                       security_origin, cve_count)
  VALUES ($1, $2, $3, 'available', $4, $5, $6, $7, $8)
  ON CONFLICT (patch_id) DO UPDATE
     SET revision = excluded.revision, content_digest = excluded.content_digest,
         vendor = excluded.vendor, source_package = excluded.source_package,
         suite = excluded.suite, security_origin = excluded.security_origin,
         cve_count = excluded.cve_count,
         status = CASE patches.status WHEN 'withdrawn' THEN 'available' ELSE patches.status END
   WHERE patches.revision <= excluded.revision`;

const SAVE_ENDPOINT = `
  INSERT INTO endpoints (endpoint_id, attributes) VALUES ($1, $2::jsonb)
  ON CONFLICT (endpoint_id) DO UPDATE SET attributes = excluded.attributes`;

const SAVE_GROUP = `
  INSERT INTO device_groups (group_id, selector) VALUES ($1, $2::jsonb)
  ON CONFLICT (group_id) DO UPDATE SET selector = excluded.selector`;

const NO_LONGER_MISSING = `
  DELETE FROM missing_patches WHERE endpoint_id = $1 AND patch_id = ANY($2::uuid[])`;

const NOW_MISSING = `
  INSERT INTO missing_patches (endpoint_id, patch_id) SELECT $1, unnest($2::uuid[])
  ON CONFLICT DO NOTHING`;

const SAVE_DECISION = `
  INSERT INTO decisions (patch_id, exposure, business_impact, patch_revision, decision_id,
                         category, provisional, due_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
  ON CONFLICT (patch_id, exposure, business_impact) DO UPDATE
     SET patch_revision = excluded.patch_revision, decision_id = excluded.decision_id,
         category = excluded.category, provisional = excluded.provisional,
         due_at = excluded.due_at
   WHERE decisions.patch_revision <= excluded.patch_revision`;
