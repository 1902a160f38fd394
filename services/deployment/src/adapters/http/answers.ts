import {
  Artifact,
  Change,
  Count,
  Digest,
  Id,
  Instant,
  literals,
  nullable,
} from '@patchtrail/contracts';
import { named } from '@patchtrail/platform';
import { Type } from '@sinclair/typebox';

const Text = Type.String();
const RolloutStatus = literals([
  'planning',
  'running',
  'halting',
  'halted',
  'rolling-back',
  'closed',
  'completed',
  'completed-with-exceptions',
  'rolled-back',
  'rollback-failed',
  'cancelled',
]);

const gateInputs = {
  planned: Count,
  verified: Count,
  failed: Count,
  timedOut: Count,
  alreadyCompliant: Count,
  cancelled: Count,
  inFlight: Count,
};
const GateInputs = named('GateInputs', Type.Object(gateInputs));
const Counters = named(
  'Counters',
  Type.Object({
    ...gateInputs,
    waiting: Count,
    rollbackPending: Count,
    rollingBack: Count,
    rolledBack: Count,
    rollbackFailed: Count,
  }),
);
const PartRevision = Type.Object({ part: Count, revision: Type.Integer() });

const RolloutRing = Type.Object({
  ring: Text,
  order: Count,
  phase: literals(['pending', 'open', 'baking', 'gating', 'passed', 'failed']),
  opened: Type.Optional(
    Type.Object({ at: Instant, cap: Count, epoch: Count, deadlineAt: Instant }),
  ),
  counters: Counters,
  /** Endpoints by the name of their state. */
  states: Type.Record(Text, Count),
  gate: Type.Optional(
    Type.Object({
      at: Instant,
      verdict: literals(['passed', 'failed']),
      reason: Text,
      inputs: GateInputs,
      parts: Type.Array(PartRevision),
    }),
  ),
  parts: Type.Array(PartRevision),
});

const RolloutEndpoint = Type.Object({
  endpointId: Id,
  ring: Text,
  state: Text,
  /** Failure class; empty without a failure. */
  class: Text,
  detail: Text,
  attempts: Count,
  attemptId: nullable(Id),
  leaseExpiresAt: nullable(Instant),
});

const Halt = Type.Object({
  /** Of the ring that broke its gate. */
  ring: nullable(Count),
  origin: literals(['gate', 'operator']),
  cause: Text,
  by: Text,
  epoch: Count,
  at: Instant,
  acknowledgedAt: nullable(Instant),
  recalledCount: nullable(Count),
});

const Ticket = Type.Object({
  ticketId: Id,
  severity: literals(['warning', 'critical']),
  summary: Text,
  failures: Type.Array(Type.Object({ endpointId: Id, class: Text, detail: Text })),
  at: Instant,
});

export const RolloutAnswer = named(
  'Rollout',
  Type.Object({
    rolloutId: Id,
    requestId: Id,
    changeDigest: Digest,
    ...Type.Pick(Change, ['plan', 'patches', 'scope', 'reach']).properties,
    /** Index of the last ring that may open. */
    uptoRing: Type.Integer(),
    epoch: Count,
    status: RolloutStatus,
    isWaitingForAuthorization: Type.Boolean(),
    createdAt: nullable(Instant),
    cohort: nullable(Type.Object({ digest: Digest, excludedCount: Count })),
    halt: nullable(Halt),
    rollback: nullable(
      Type.Object({
        by: Text,
        startedAt: nullable(Instant),
        endpointCount: nullable(Count),
        deadlineAt: nullable(Instant),
      }),
    ),
    tickets: Type.Array(Ticket),
    closed: nullable(
      Type.Object({
        outcome: RolloutStatus,
        counts: GateInputs,
        by: Text,
        reason: Text,
        at: Instant,
      }),
    ),
    totals: Counters,
    rings: Type.Array(named('RolloutRing', RolloutRing)),
    endpoints: Type.Array(named('RolloutEndpoint', RolloutEndpoint)),
  }),
);

export const RolloutRow = named(
  'RolloutRow',
  Type.Object({
    number: Text,
    rolloutId: Id,
    requestId: Id,
    changeDigest: Digest,
    planName: Text,
    status: RolloutStatus,
    epoch: Count,
    /** The last one opened. */
    ring: nullable(Text),
    revision: Count,
    createdAt: Instant,
    changedAt: Instant,
  }),
);

export const OperatedRolloutAnswer = named(
  'OperatedRollout',
  Type.Object({ rolloutId: Id, status: RolloutStatus, epoch: Count, revision: Count }),
);

export const LeaseAnswer = named(
  'Lease',
  Type.Object({
    attemptId: Id,
    rolloutId: Id,
    endpointId: Id,
    ring: Text,
    kind: literals(['install', 'rollback']),
    epoch: Count,
    leaseExpiresAt: Instant,
    patches: Type.Array(
      Type.Object({
        patchId: Id,
        sourcePackage: Text,
        sourceVersion: Text,
        artifacts: Type.Array(named('Artifact', Artifact)),
      }),
    ),
    rollbackOf: nullable(Id),
  }),
);
export const ConfirmedAnswer = Type.Object({ attemptId: Id, epoch: Count });
export const RecordedOutcomeAnswer = Type.Object({
  attemptId: Id,
  outcome: literals(['verified', 'already-compliant', 'failed', 'rolled-back', 'rollback-failed']),
});

export const RefusedReportRow = named(
  'RefusedReport',
  Type.Object({
    number: Text,
    endpointId: Text,
    attemptId: Text,
    kind: Text,
    code: Text,
    detail: Text,
    reportDigest: Digest,
    times: Count,
    firstAt: Instant,
    lastAt: Instant,
  }),
);
