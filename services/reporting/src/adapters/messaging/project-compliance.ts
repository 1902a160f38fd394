import {
  type CloudEvent,
  type DataOf,
  deployment,
  discovery,
  isEvent,
} from '@patchtrail/contracts';
import type { Sql } from '@patchtrail/postgres';

/** Read models of compliance and tickets, kept from integration events alone. */
export async function projectCompliance(tx: Sql, message: CloudEvent): Promise<void> {
  if (await projectEndpoint(tx, message)) return;
  if (await projectPatch(tx, message)) return;
  if (isEvent(deployment.FailureTicketRaised, message)) {
    const { ticketId, rolloutId } = message.data;
    // Readers go on behind the last number they saw, so numbers become visible in their order.
    await tx.rows(`SELECT pg_advisory_xact_lock(hashtextextended('failure_tickets', 0))`);
    await tx.run(
      `INSERT INTO failure_tickets (ticket_id, rollout_id, raised_at, ticket)
       VALUES ($1, $2, $3, $4::jsonb) ON CONFLICT (ticket_id) DO NOTHING`,
      [ticketId, rolloutId, message.time, JSON.stringify(message.data)],
    );
  }
}

async function projectEndpoint(tx: Sql, message: CloudEvent): Promise<boolean> {
  if (
    isEvent(discovery.EndpointEnrolled, message) ||
    isEvent(discovery.EndpointAttributesChanged, message)
  ) {
    await tx.run(
      `INSERT INTO endpoints (endpoint_id, attributes) VALUES ($1, $2::jsonb)
       ON CONFLICT (endpoint_id) DO UPDATE SET attributes = excluded.attributes`,
      [message.data.endpointId, JSON.stringify(message.data.attributes)],
    );
  } else if (isEvent(discovery.EndpointRetired, message)) {
    const sql = 'UPDATE endpoints SET retired = true WHERE endpoint_id = $1';
    await tx.run(sql, [message.data.endpointId]);
  } else if (isEvent(discovery.InventoryChanged, message)) {
    const sql = 'UPDATE endpoints SET collected_at = $2 WHERE endpoint_id = $1';
    await tx.run(sql, [message.data.endpointId, message.data.collectedAt]);
  } else if (isEvent(discovery.ApplicabilityChanged, message)) {
    await projectApplicability(tx, message.data, message.time);
  } else {
    return false;
  }
  return true;
}

async function projectApplicability(
  tx: Sql,
  { endpointId, collectedAt, changes }: DataOf<typeof discovery.ApplicabilityChanged>,
  at: string,
): Promise<void> {
  await tx.run('UPDATE endpoints SET collected_at = $2 WHERE endpoint_id = $1', [
    endpointId,
    collectedAt,
  ]);
  await tx.run(
    `INSERT INTO applicability (endpoint_id, patch_id, state, reason, installed_version, since)
     SELECT $1, c."patchId", c."to", c.reason, c."installedVersion", $2
       FROM jsonb_to_recordset($3::jsonb)
            AS c("patchId" uuid, "to" text, reason text, "installedVersion" text)
     ON CONFLICT (endpoint_id, patch_id) DO UPDATE
       SET state = excluded.state, reason = excluded.reason,
           installed_version = excluded.installed_version,
           since = CASE WHEN applicability.state = excluded.state
                        THEN applicability.since ELSE excluded.since END`,
    [endpointId, at, JSON.stringify(changes)],
  );
}

async function projectPatch(tx: Sql, message: CloudEvent): Promise<boolean> {
  if (isEvent(discovery.PatchDiscovered, message) || isEvent(discovery.PatchRevised, message)) {
    await tx.run(
      `INSERT INTO patches (patch_id, vendor_key, title) VALUES ($1, $2, $3)
       ON CONFLICT (patch_id) DO UPDATE SET title = excluded.title,
         status = CASE patches.status WHEN 'withdrawn' THEN 'available' ELSE patches.status END`,
      [message.data.patchId, message.data.vendorKey, message.data.title],
    );
  } else if (isEvent(discovery.PatchSuperseded, message)) {
    const sql = "UPDATE patches SET status = 'superseded' WHERE patch_id = $1";
    await tx.run(sql, [message.data.patchId]);
  } else if (isEvent(discovery.PatchWithdrawn, message)) {
    const sql = "UPDATE patches SET status = 'withdrawn' WHERE patch_id = $1";
    await tx.run(sql, [message.data.patchId]);
  } else {
    return false;
  }
  return true;
}
