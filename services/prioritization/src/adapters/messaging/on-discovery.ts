import {
  type CloudEvent,
  type DataOf,
  discovery,
  isEvent,
  type Patch,
} from '@patchtrail/contracts';
import type { Sql } from '@patchtrail/postgres';
import { prioritizePatch } from '../../application/prioritize-patch.js';
import { decisionStore, lockCatalogue, lockPatches } from '../postgres/decision-store.js';

/** Keeps what a decision needs to know of endpoints, and decides anew what it touches. */
export async function onEndpointEvent(tx: Sql, message: CloudEvent, at: string): Promise<void> {
  if (isEvent(discovery.EndpointEnrolled, message)) {
    await saveEndpoint(tx, message.data);
  } else if (isEvent(discovery.EndpointAttributesChanged, message)) {
    const { endpointId } = message.data;
    await saveEndpoint(tx, message.data);
    await decideFor(tx, message, at, endpointId, await patchesOn(tx, endpointId));
  } else if (isEvent(discovery.EndpointRetired, message)) {
    const sql = 'UPDATE endpoints SET retired = true WHERE endpoint_id = $1';
    await tx.run(sql, [message.data.endpointId]);
  } else if (isEvent(discovery.ApplicabilityChanged, message)) {
    await saveApplicability(tx, message.data);
    const { endpointId, changes } = message.data;
    const patchIds = changes.map(({ patchId }) => patchId);
    await decideFor(tx, message, at, endpointId, patchIds);
  }
}

/** Keeps patches and threat signals, and decides anew what they touch. */
export async function onPatchEvent(tx: Sql, message: CloudEvent, at: string): Promise<void> {
  if (isEvent(discovery.PatchDiscovered, message) || isEvent(discovery.PatchRevised, message)) {
    await lockPatches(tx, [message.data.patchId]);
    await savePatch(tx, message.data);
    await decideAll(tx, message, at, [message.data.patchId]);
  } else if (isEvent(discovery.PatchSuperseded, message)) {
    await endPatch(tx, message.data.patchId, 'superseded');
  } else if (isEvent(discovery.PatchWithdrawn, message)) {
    await endPatch(tx, message.data.patchId, 'withdrawn');
  } else if (isEvent(discovery.ThreatSignalChanged, message)) {
    await lockCatalogue(tx);
    await saveSignals(tx, message.data);
    // The catalogue counts only once it is complete; until then the older one stays in force.
    if (message.data.part === message.data.parts) {
      await decideAll(tx, message, at, await offeredPatches(tx));
    }
  }
}

function decideAll(tx: Sql, cause: CloudEvent, at: string, patchIds: readonly string[]) {
  return decideFor(tx, cause, at, null, patchIds);
}

/** In the context of the endpoint alone, unless that is `null`. */
async function decideFor(
  tx: Sql,
  cause: CloudEvent,
  at: string,
  endpointId: string | null,
  patchIds: readonly string[],
): Promise<void> {
  const store = decisionStore(tx, cause);
  await lockPatches(tx, patchIds);
  for (const patchId of patchIds.toSorted()) await prioritizePatch(store, patchId, endpointId, at);
}

async function patchesOn(tx: Sql, endpointId: string): Promise<string[]> {
  const sql = 'SELECT patch_id AS id FROM applicability WHERE endpoint_id = $1';
  return (await tx.rows<{ id: string }>(sql, [endpointId])).map(({ id }) => id);
}

async function offeredPatches(tx: Sql): Promise<string[]> {
  const sql = "SELECT patch_id AS id FROM patches WHERE status = 'available'";
  const rows = await tx.rows<{ id: string }>(sql);
  return rows.map(({ id }) => id);
}

async function saveEndpoint(
  tx: Sql,
  { endpointId, attributes }: DataOf<typeof discovery.EndpointAttributesChanged>,
): Promise<void> {
  await tx.run(
    `INSERT INTO endpoints (endpoint_id, exposure, business_impact) VALUES ($1, $2, $3)
     ON CONFLICT (endpoint_id) DO UPDATE
       SET exposure = excluded.exposure, business_impact = excluded.business_impact`,
    [endpointId, attributes.exposure, attributes.businessImpact],
  );
}

async function saveApplicability(
  tx: Sql,
  { endpointId, changes }: DataOf<typeof discovery.ApplicabilityChanged>,
): Promise<void> {
  const applies = changes.filter(({ to }) => to !== 'NOT_APPLICABLE').map((c) => c.patchId);
  const ceased = changes.filter(({ to }) => to === 'NOT_APPLICABLE').map((c) => c.patchId);
  await tx.run(
    `INSERT INTO applicability (endpoint_id, patch_id)
     SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING`,
    [endpointId, applies],
  );
  await tx.run('DELETE FROM applicability WHERE endpoint_id = $1 AND patch_id = ANY($2::uuid[])', [
    endpointId,
    ceased,
  ]);
}

async function savePatch(tx: Sql, patch: Patch): Promise<void> {
  await tx.run(
    `INSERT INTO patches (patch_id, patch) VALUES ($1, $2::jsonb)
     ON CONFLICT (patch_id) DO UPDATE SET patch = excluded.patch,
       status = CASE patches.status WHEN 'withdrawn' THEN 'available' ELSE patches.status END`,
    [patch.patchId, JSON.stringify(patch)],
  );
}

async function endPatch(tx: Sql, patchId: string, status: string): Promise<void> {
  await tx.run('UPDATE patches SET status = $2 WHERE patch_id = $1', [patchId, status]);
}

async function saveSignals(
  tx: Sql,
  {
    entries,
    catalogVersion,
    releasedAt,
    part,
    parts,
  }: DataOf<typeof discovery.ThreatSignalChanged>,
): Promise<void> {
  await tx.run(
    `INSERT INTO kev_entries (cve_id, date_added, counts)
     SELECT *, false FROM unnest($1::text[], $2::text[])
     ON CONFLICT (cve_id) DO UPDATE SET date_added = excluded.date_added`,
    [entries.map(({ cveId }) => cveId), entries.map(({ dateAdded }) => dateAdded)],
  );
  if (part < parts) return;
  await tx.run('UPDATE kev_entries SET counts = true WHERE NOT counts');
  await tx.run(
    `INSERT INTO kev_catalog (version, released_at) VALUES ($1, $2)
     ON CONFLICT (one) DO UPDATE SET version = excluded.version, released_at = excluded.released_at`,
    [catalogVersion, releasedAt],
  );
}
