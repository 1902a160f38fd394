import {
  type ProjectionDefinition,
  projectTimer,
  type StoredEvent,
  TIMERS_TABLE,
} from '@patchtrail/event-store';
import type { Sql } from '@patchtrail/postgres';
import {
  PART_PREFIX,
  parsePartStream,
  ROLLOUT_PREFIX,
  rolloutStream,
} from '../../application/names.js';
import type { RolloutEvent } from '../../domain/rollout-messages.js';
import type { WavePartEvent } from '../../domain/wave-part-messages.js';
import { rolloutCodec } from '../event-store/rollout-codec.js';
import { wavePartCodec } from '../event-store/wave-part-codec.js';

/** Rows for lists, for finding an endpoint's parts, and the timers. */
export const deploymentReadModels: ProjectionDefinition = {
  name: 'deployment.read-models',
  prefixes: [ROLLOUT_PREFIX, PART_PREFIX],
  tables: [
    { name: 'rollouts' },
    { name: 'wave_parts' },
    { name: 'part_members' },
    { name: 'attempts' },
    TIMERS_TABLE,
  ],
  apply: project,
};

async function project(tx: Sql, event: StoredEvent): Promise<void> {
  await projectTimer(tx, event);
  if (parsePartStream(event.stream) === null) await onRollout(tx, event);
  else await onPart(tx, event.stream, wavePartCodec.decode(event));
}

async function onRollout(tx: Sql, stored: StoredEvent): Promise<void> {
  const event = rolloutCodec.decode(stored);
  const { revision, metadata } = stored;
  const rolloutId = stored.stream.slice(rolloutStream('').length);
  if (event.type === 'RolloutCreated') {
    const { requestId, changeDigest, plan } = event.data;
    await tx.run(CREATE, [rolloutId, requestId, changeDigest, plan.name, metadata.occurredAt]);
    return;
  }
  const { status, epoch, ring } = changeBy(event);
  await tx.run(CHANGE, [rolloutId, revision, metadata.occurredAt, status, epoch, ring]);
}

type Change = { status: string | null; epoch: number | null; ring: string | null };
const NOTHING: Change = { status: null, epoch: null, ring: null };

function changeBy({ type, data }: RolloutEvent): Change {
  if (type === 'CohortFrozen') return { ...NOTHING, status: 'running' };
  if (type === 'WaveOpened') return { ...NOTHING, status: 'running', ring: data.name };
  if (type === 'HaltRequested') return { ...NOTHING, status: 'halting', epoch: data.epoch };
  if (type === 'HaltAcknowledged') return { ...NOTHING, status: 'halted' };
  if (type === 'RollbackStarted') return { ...NOTHING, status: 'rolling-back' };
  if (type === 'RolloutClosed') return { ...NOTHING, status: data.outcome };
  return NOTHING;
}

const CREATE = `
  INSERT INTO rollouts (number, rollout_id, request_id, change_digest, plan_name, status, epoch,
                        revision, created_at, changed_at)
  SELECT coalesce(max(number), 0) + 1, $1::uuid, $2::uuid, $3, $4, 'planning', 1, 0,
         $5::timestamptz, $5::timestamptz FROM rollouts
  ON CONFLICT DO NOTHING`;

/** A cohort that is frozen after a halt was asked for sets nothing running. */
const CHANGE = `
  UPDATE rollouts SET revision = $2, changed_at = $3,
         status = CASE WHEN $4 = 'running' AND status <> 'planning' THEN status
                       ELSE coalesce($4, status) END,
         epoch = coalesce($5, epoch), ring = coalesce($6, ring)
   WHERE rollout_id = $1`;

async function onPart(tx: Sql, stream: string, event: WavePartEvent): Promise<void> {
  const { type, data } = event;
  if (type === 'PartPlanned') {
    await tx.run(ADD_PART, [stream]);
    await tx.run(ADD_MEMBERS, [stream, data.endpoints]);
  } else if (type === 'PartOpened') {
    await tx.run('UPDATE wave_parts SET opened = true WHERE stream = $1', [stream]);
  } else if (type === 'LeasesIssued') {
    await tx.run(ADD_ATTEMPTS, [stream, data.leases.map(({ attemptId }) => attemptId)]);
  } else if (type === 'RollbackPlanned') {
    await markMembers(tx, stream, data.endpoints, false);
  } else {
    await markMembers(tx, stream, endedBy(event), true);
  }
}

function endedBy({ type, data }: WavePartEvent): readonly { endpointId: string }[] {
  if (type === 'LeasesExpired') return data.expired;
  if (type === 'PartHalted') return data.stopped;
  if (type !== 'OutcomesRecorded' && type !== 'RollbacksRecorded') return [];
  return data.outcomes.filter(({ disposition }) => disposition === 'final');
}

async function markMembers(
  tx: Sql,
  stream: string,
  endpoints: readonly { endpointId: string }[],
  ended: boolean,
): Promise<void> {
  if (endpoints.length === 0) return;
  await tx.run(MARK_MEMBERS, [stream, endpoints.map(({ endpointId }) => endpointId), ended]);
}

const ADD_PART = `
  INSERT INTO wave_parts (number, stream) SELECT coalesce(max(number), 0) + 1, $1 FROM wave_parts
  ON CONFLICT DO NOTHING`;

const ADD_MEMBERS = `
  INSERT INTO part_members (endpoint_id, part_number)
  SELECT unnest($2::uuid[]), number FROM wave_parts WHERE stream = $1
  ON CONFLICT DO NOTHING`;

const ADD_ATTEMPTS = `
  INSERT INTO attempts (attempt_id, stream) SELECT unnest($2::uuid[]), $1 ON CONFLICT DO NOTHING`;

const MARK_MEMBERS = `
  UPDATE part_members SET ended = $3
   WHERE part_number = (SELECT number FROM wave_parts WHERE stream = $1)
     AND endpoint_id = ANY($2::uuid[])`;
