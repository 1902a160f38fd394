import { approval, type CloudEvent, deployment, discovery, isEvent } from '@patchtrail/contracts';
import type { Sql } from '@patchtrail/postgres';

/** Keeps the event itself, linked to the patches and the rollout it speaks of. */
export async function recordEvent(tx: Sql, message: CloudEvent): Promise<void> {
  await linkRequestAndRollout(tx, message);
  const [row] = await tx.rows<{ number: string }>(INSERT_EVENT, [
    message.id,
    message.type,
    message.subject,
    message.time,
    message.recordedtime,
    message.authid,
    message.correlationid,
    message.causationid,
    JSON.stringify(message.data),
  ]);
  if (row === undefined) return;
  await tx.run(
    'INSERT INTO event_patches (patch_id, number) SELECT DISTINCT unnest($1::uuid[]), $2::bigint',
    [await patchesOf(tx, message), row.number],
  );
  const rolloutId = idIn(message, 'rolloutId');
  if (rolloutId === null) return;
  await tx.run('INSERT INTO event_rollouts (rollout_id, number) VALUES ($1, $2)', [
    rolloutId,
    row.number,
  ]);
}

async function linkRequestAndRollout(tx: Sql, message: CloudEvent): Promise<void> {
  if (isEvent(approval.ApprovalRequested, message)) {
    const { requestId, change } = message.data;
    await tx.run(LINK_REQUEST, [requestId, change.patches.map(({ patchId }) => patchId)]);
  } else if (isEvent(deployment.RolloutCreated, message)) {
    const { rolloutId, patches } = message.data;
    await tx.run(LINK_ROLLOUT, [rolloutId, patches.map(({ patchId }) => patchId)]);
  }
}

/** Request and rollout events name their patches only once, at the start; the links remember it. */
async function patchesOf(tx: Sql, message: CloudEvent): Promise<string[]> {
  if (isEvent(discovery.ApplicabilityChanged, message)) {
    return message.data.changes.map(({ patchId }) => patchId);
  }
  if (isEvent(deployment.OutcomesRecorded, message)) {
    return message.data.patches.map(({ patchId }) => patchId);
  }
  const patchId = idIn(message, 'patchId');
  if (patchId !== null) return [patchId];
  const rows = await tx.rows<{ id: string }>(LINKED_PATCHES, [
    idIn(message, 'requestId'),
    idIn(message, 'rolloutId'),
  ]);
  return rows.map(({ id }) => id);
}

function idIn({ data }: CloudEvent, name: string): string | null {
  const value = (data as Readonly<Record<string, unknown>> | null)?.[name];
  return typeof value === 'string' ? value : null;
}

const INSERT_EVENT = `
  INSERT INTO events (event_id, type, subject, time, recorded_time, actor, correlation_id,
                      causation_id, data)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)
  ON CONFLICT (event_id) DO NOTHING
  RETURNING number::text`;

const LINK_REQUEST = `
  INSERT INTO request_patches (request_id, patch_id)
  SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING`;

const LINK_ROLLOUT = `
  INSERT INTO rollout_patches (rollout_id, patch_id)
  SELECT $1, unnest($2::uuid[]) ON CONFLICT DO NOTHING`;

const LINKED_PATCHES = `
  SELECT patch_id AS id FROM request_patches WHERE request_id = $1::uuid
  UNION
  SELECT patch_id FROM rollout_patches WHERE rollout_id = $2::uuid`;
