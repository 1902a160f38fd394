import {
  Category,
  Change,
  Count,
  Digest,
  Id,
  Instant,
  literals,
  nullable,
  Plan,
} from '@patchtrail/contracts';
import { named } from '@patchtrail/platform';
import { Type } from '@sinclair/typebox';

const Text = Type.String();
const RequestStatus = literals(['open', 'granted', 'rejected', 'withdrawn', 'expired']);
const Stage = Type.Object({ name: Text, role: Text, quorum: Count });

export const PlanTemplateAnswer = named(
  'PlanTemplate',
  Type.Object({
    templateId: Id,
    revision: Count,
    name: Text,
    ...Type.Pick(Plan, ['rings', 'leaseMs', 'retry', 'rollback']).properties,
    changedBy: Text,
    changedAt: Instant,
  }),
);

export const PlanTemplateRow = named(
  'PlanTemplateRow',
  Type.Object({
    templateId: Id,
    revision: Count,
    name: Text,
    /** Their names, in order. */
    rings: Type.Array(Text),
    changedBy: Text,
    changedAt: Instant,
  }),
);

const policy = {
  policyId: Id,
  revision: Count,
  name: Text,
  proposedBy: Text,
  proposedAt: Instant,
  activatedBy: nullable(Text),
  activatedAt: nullable(Instant),
};

export const ApprovalPolicyAnswer = named(
  'ApprovalPolicy',
  Type.Object({
    ...policy,
    status: literals(['proposed', 'activated']),
    requestTtlMs: Count,
    rules: Type.Array(
      Type.Object({ name: Text, when: Text, stages: Type.Array(Stage), reason: Text }),
    ),
  }),
);

/** `active`: it decides on requests that are opened now. */
export const ApprovalPolicyRow = named(
  'ApprovalPolicyRow',
  Type.Object({ ...policy, active: Type.Boolean() }),
);

const request = {
  requestId: Id,
  revision: Count,
  status: RequestStatus,
  requestedBy: Text,
  requestedAt: Instant,
  expiresAt: Instant,
  closedAt: nullable(Instant),
  changeDigest: Digest,
  category: Category,
  dueAt: nullable(Instant),
  endpointCount: Count,
};

export const ApprovalRequestAnswer = named(
  'ApprovalRequest',
  Type.Object({
    ...request,
    change: named('Change', Change),
    decisionIds: Type.Array(Id),
    departments: Type.Array(Text),
    /** The rule that matched, and the facts it was evaluated on. */
    policy: Type.Object({
      policyId: Text,
      revision: Count,
      rule: Text,
      reason: Text,
      facts: Type.Record(Text, Type.Unknown()),
    }),
    stages: Type.Array(
      Type.Object({
        ...Stage.properties,
        status: literals(['passed', 'open', 'waiting', 'ended']),
        approvals: Count,
      }),
    ),
    votes: Type.Array(
      Type.Object({
        by: Text,
        stage: Text,
        verdict: literals(['approve', 'reject']),
        remark: Text,
        at: Instant,
      }),
    ),
    /** Rings that may open, the first ones of the plan. */
    ringsAuthorized: Count,
    remark: Text,
  }),
);

export const ApprovalRequestRow = named(
  'ApprovalRequestRow',
  Type.Object({
    ...request,
    patchIds: Type.Array(Id),
    planName: Text,
    rule: Text,
    reason: Text,
    stageCount: Count,
    stagesPassed: Count,
  }),
);
