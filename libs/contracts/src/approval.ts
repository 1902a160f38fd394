import { Type } from '@sinclair/typebox';
import { Change } from './change.js';
import { defineEvent } from './define-event.js';
import { Category, Count, Digest, Id, Instant, literals, nullable, Text } from './vocabulary.js';

export const REQUESTS_TOPIC = 'approval.requests.v1';

const requests = <S extends Parameters<typeof defineEvent>[3]>(name: string, schema: S) =>
  defineEvent('approval', REQUESTS_TOPIC, name, schema);

export const PolicyRef = Type.Object({
  policyId: Type.String(),
  revision: Count,
  /** The first rule that matched. */
  rule: Type.String(),
});

/** Key: requestId, as of every event below. */
export const ApprovalRequested = requests(
  'ApprovalRequested',
  Type.Object({
    requestId: Id,
    requestedBy: Text,
    change: Change,
    changeDigest: Digest,
    category: Category,
    dueAt: nullable(Instant),
    endpointCount: Count,
    policy: PolicyRef,
    stages: Type.Array(
      Type.Object({ name: Text, role: Text, quorum: Type.Integer({ minimum: 1 }) }),
    ),
  }),
);
export const DecisionRecorded = requests(
  'DecisionRecorded',
  Type.Object({
    requestId: Id,
    stage: Text,
    by: Text,
    verdict: literals(['approve', 'reject']),
    remark: Type.String(),
    changeDigest: Digest,
  }),
);
export const StagePassed = requests('StagePassed', Type.Object({ requestId: Id, stage: Text }));
export const ApprovalGranted = requests(
  'ApprovalGranted',
  Type.Object({
    requestId: Id,
    changeDigest: Digest,
    /** `policy`: no person was needed, and the reason says why. */
    grantedBy: literals(['people', 'policy']),
    reason: Type.String(),
  }),
);
export const ApprovalRejected = requests(
  'ApprovalRejected',
  Type.Object({ requestId: Id, changeDigest: Digest, by: Text, remark: Type.String() }),
);
export const RequestWithdrawn = requests(
  'RequestWithdrawn',
  Type.Object({ requestId: Id, by: Text, reason: Type.String() }),
);
/** Nobody decided in time. */
export const RequestExpired = requests(
  'RequestExpired',
  Type.Object({ requestId: Id, expiredAt: Instant }),
);
/** The only thing that creates or widens a rollout. */
export const RingsAuthorized = requests(
  'RingsAuthorized',
  Type.Object({
    requestId: Id,
    change: Change,
    changeDigest: Digest,
    /** Index of the last ring that may open, from 0. */
    uptoRing: Count,
  }),
);
