import {
  type ProjectionDefinition,
  projectTimer,
  type StoredEvent,
  TIMERS_TABLE,
} from '@patchtrail/event-store';
import type { Sql } from '@patchtrail/postgres';
import type { ApprovalPolicyEvent } from '../../domain/approval-policy.js';
import type { ApprovalRequestEvent } from '../../domain/approval-request.js';
import type { PlanTemplateEvent } from '../../domain/plan-template.js';
import { approvalPolicyCodec } from '../event-store/approval-policy-codec.js';
import { approvalRequestCodec } from '../event-store/approval-request-codec.js';
import { planTemplateCodec } from '../event-store/plan-template-codec.js';
import { idIn, POLICY_PREFIX, REQUEST_PREFIX, TEMPLATE_PREFIX } from '../event-store/streams.js';

/** The rows that lists are read from, and the timers. */
export const approvalReadModels: ProjectionDefinition = {
  name: 'approval.read-models',
  prefixes: [REQUEST_PREFIX, POLICY_PREFIX, TEMPLATE_PREFIX],
  tables: [
    { name: 'approval_requests' },
    { name: 'approval_policies' },
    { name: 'active_policy' },
    { name: 'plan_templates' },
    TIMERS_TABLE,
  ],
  apply: project,
};

async function project(tx: Sql, stored: StoredEvent): Promise<void> {
  const at = { id: idIn(stored.stream), revision: stored.revision };
  if (stored.stream.startsWith(REQUEST_PREFIX)) {
    await projectRequest(tx, at, approvalRequestCodec.decode(stored));
    await projectTimer(tx, stored);
  } else if (stored.stream.startsWith(POLICY_PREFIX)) {
    await projectPolicy(tx, at, approvalPolicyCodec.decode(stored));
  } else if (stored.stream.startsWith(TEMPLATE_PREFIX)) {
    await projectTemplate(tx, at, planTemplateCodec.decode(stored));
  }
}

type At = Readonly<{ id: string; revision: number }>;

const ENDS: ReadonlyMap<ApprovalRequestEvent['type'], string> = new Map([
  ['ApprovalGranted', 'granted'],
  ['ApprovalRejected', 'rejected'],
  ['RequestWithdrawn', 'withdrawn'],
  ['RequestExpired', 'expired'],
]);

async function projectRequest(tx: Sql, at: At, event: ApprovalRequestEvent): Promise<void> {
  if (event.type === 'ApprovalRequested') {
    await insertRequest(tx, at, event.data);
    return;
  }
  await tx.run('UPDATE approval_requests SET revision = $2 WHERE request_id = $1', [
    at.id,
    at.revision,
  ]);
  if (event.type === 'StagePassed') {
    const sql =
      'UPDATE approval_requests SET stages_passed = stages_passed + 1 WHERE request_id = $1';
    await tx.run(sql, [at.id]);
  }
  const status = ENDS.get(event.type);
  if (status === undefined || !('at' in event.data)) return;
  const sql = 'UPDATE approval_requests SET status = $2, closed_at = $3 WHERE request_id = $1';
  await tx.run(sql, [at.id, status, event.data.at]);
}

type Opening = Extract<ApprovalRequestEvent, { type: 'ApprovalRequested' }>['data'];

async function insertRequest(tx: Sql, { id, revision }: At, opening: Opening): Promise<void> {
  const { change, policy, stages } = opening;
  await tx.run(INSERT_REQUEST, [
    id,
    revision,
    opening.requestedBy,
    opening.at,
    opening.category,
    opening.dueAt,
    opening.expiresAt,
    opening.changeDigest,
    change.patches.map(({ patchId }) => patchId),
    change.plan.name,
    opening.endpointCount,
    policy.rule,
    policy.reason,
    stages.length,
  ]);
}

async function projectPolicy(tx: Sql, { id, revision }: At, event: ApprovalPolicyEvent) {
  const { by, at } = event.data;
  if (event.type === 'PolicyProposed') {
    await tx.run(INSERT_POLICY, [id, revision, event.data.name, by, at]);
    return;
  }
  await tx.run(ACTIVATE_POLICY, [id, revision, by, at]);
  // Events come in the order of the store, so the last one to arrive was activated last.
  await tx.run(
    `INSERT INTO active_policy (policy_id) VALUES ($1)
     ON CONFLICT (only_row) DO UPDATE SET policy_id = excluded.policy_id`,
    [id],
  );
}

async function projectTemplate(tx: Sql, { id, revision }: At, { data }: PlanTemplateEvent) {
  const rings = data.rings.map(({ name }) => name);
  await tx.run(SAVE_TEMPLATE, [id, revision, data.name, rings, data.by, data.at]);
}

const INSERT_REQUEST = `
  INSERT INTO approval_requests (request_id, status, revision, requested_by, requested_at, category,
    due_at, expires_at, change_digest, patch_ids, plan_name, endpoint_count, rule, reason,
    stage_count)
  VALUES ($1, 'open', $2, $3, $4, $5, $6, $7, $8, $9::uuid[], $10, $11, $12, $13, $14)`;

const INSERT_POLICY = `
  INSERT INTO approval_policies (policy_id, revision, name, proposed_by, proposed_at)
  VALUES ($1, $2, $3, $4, $5)`;

const ACTIVATE_POLICY = `
  UPDATE approval_policies SET revision = $2, activated_by = $3, activated_at = $4
   WHERE policy_id = $1`;

const SAVE_TEMPLATE = `
  INSERT INTO plan_templates (template_id, revision, name, rings, changed_by, changed_at)
  VALUES ($1, $2, $3, $4::text[], $5, $6)
  ON CONFLICT (template_id) DO UPDATE
     SET revision = excluded.revision, name = excluded.name, rings = excluded.rings,
         changed_by = excluded.changed_by, changed_at = excluded.changed_at`;
