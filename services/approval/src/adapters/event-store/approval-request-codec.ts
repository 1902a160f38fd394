import { Category, Change, decoder } from '@patchtrail/contracts';
import { type Codec, jsonCodec } from '@patchtrail/event-store';
import { Type } from '@sinclair/typebox';
import type { ApprovalRequestEvent } from '../../domain/approval-request.js';
import { By, Instant, Stages } from './stored-types.js';

const Text = Type.String();
const Opening = Type.Object({
  requestedBy: Text,
  change: Change,
  changeDigest: Text,
  category: Category,
  dueAt: Type.Union([Instant, Type.Null()]),
  decisionIds: Type.Array(Text),
  endpointCount: Type.Integer(),
  departments: Type.Array(Text),
  policy: Type.Object({
    policyId: Text,
    revision: Type.Integer(),
    rule: Text,
    reason: Text,
    facts: Type.Record(Text, Type.Unknown()),
  }),
  stages: Stages,
  remark: Text,
  expiresAt: Instant,
  timerId: Text,
  at: Instant,
});
const Decision = Type.Object({
  by: Text,
  roles: Type.Array(Text),
  departments: Type.Array(Text),
  verdict: Type.Union([Type.Literal('approve'), Type.Literal('reject')]),
  changeDigest: Text,
  remark: Text,
  at: Instant,
  stage: Text,
});
const Timer = Type.Object({
  timerId: Text,
  dueAt: Instant,
  purpose: Text,
  generation: Type.Integer(),
});
const Authorization = Type.Object({
  change: Change,
  changeDigest: Text,
  uptoRing: Type.Integer(),
  at: Instant,
});
const Grant = Type.Object({
  changeDigest: Text,
  grantedBy: Type.Union([Type.Literal('people'), Type.Literal('policy')]),
  reason: Text,
  at: Instant,
});
const Rejection = Type.Object({ changeDigest: Text, by: Text, remark: Text, at: Instant });

export const approvalRequestCodec: Codec<ApprovalRequestEvent> = jsonCodec<ApprovalRequestEvent>(
  {
    ApprovalRequested: decoder(Opening),
    TimerScheduled: decoder(Timer),
    DecisionRecorded: decoder(Decision),
    StagePassed: decoder(Type.Object({ stage: Text, at: Instant })),
    RingsAuthorized: decoder(Authorization),
    ApprovalGranted: decoder(Grant),
    ApprovalRejected: decoder(Rejection),
    RequestWithdrawn: decoder(Type.Intersect([By, Type.Object({ reason: Text })])),
    RequestExpired: decoder(Type.Object({ at: Instant })),
  },
  1,
);
