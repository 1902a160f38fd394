import { type Static, Type } from '@sinclair/typebox';
import { PatchRef } from './change.js';
import { defineEvent } from './define-event.js';
import { Count, Digest, Id, Instant, literals, nullable, Text } from './vocabulary.js';

export const ROLLOUTS_TOPIC = 'deployment.rollouts.v1';
export const OUTCOMES_TOPIC = 'deployment.outcomes.v1';

const rollouts = <S extends Parameters<typeof defineEvent>[3]>(name: string, schema: S) =>
  defineEvent('deployment', ROLLOUTS_TOPIC, name, schema);
const outcomes = <S extends Parameters<typeof defineEvent>[3]>(name: string, schema: S) =>
  defineEvent('deployment', OUTCOMES_TOPIC, name, schema);

/** Key: rolloutId, as of every event on this topic. */
export const RolloutCreated = rollouts(
  'RolloutCreated',
  Type.Object({
    rolloutId: Id,
    requestId: Id,
    changeDigest: Digest,
    patches: Type.Array(PatchRef),
    rings: Type.Array(Text),
  }),
);
export const CohortFrozen = rollouts(
  'CohortFrozen',
  Type.Object({
    rolloutId: Id,
    cohortDigest: Digest,
    rings: Type.Array(Type.Object({ ring: Text, endpointCount: Count })),
    /** In scope and missing the patch, but matched by no ring. */
    excludedCount: Count,
  }),
);
export const WaveOpened = rollouts(
  'WaveOpened',
  Type.Object({ rolloutId: Id, ring: Text, order: Count, cap: Count, epoch: Count }),
);
export const GateInputs = Type.Object({
  planned: Count,
  verified: Count,
  failed: Count,
  timedOut: Count,
  alreadyCompliant: Count,
  cancelled: Count,
  inFlight: Count,
});
export const GateEvaluated = rollouts(
  'GateEvaluated',
  Type.Object({
    rolloutId: Id,
    ring: Text,
    verdict: literals(['passed', 'failed']),
    inputs: GateInputs,
    /** The rule with its numbers: `2 failed > failuresMax 0`. */
    reason: Text,
  }),
);
export const HaltRequested = rollouts(
  'HaltRequested',
  Type.Object({
    rolloutId: Id,
    ring: nullable(Text),
    cause: Text,
    by: Text,
    /** Leases with a lower epoch may not start any more. */
    epoch: Count,
  }),
);
export const HaltAcknowledged = rollouts(
  'HaltAcknowledged',
  Type.Object({ rolloutId: Id, epoch: Count, recalledCount: Count }),
);
export const RollbackStarted = rollouts(
  'RollbackStarted',
  Type.Object({ rolloutId: Id, by: Text, endpointCount: Count }),
);
/** For ticket systems: somebody has to look. */
export const FailureTicketRaised = rollouts(
  'FailureTicketRaised',
  Type.Object({
    rolloutId: Id,
    ticketId: Id,
    severity: literals(['warning', 'critical']),
    summary: Text,
    failures: Type.Array(Type.Object({ endpointId: Id, class: Text, detail: Type.String() }), {
      maxItems: 100,
    }),
  }),
);
export const RolloutClosed = rollouts(
  'RolloutClosed',
  Type.Object({
    rolloutId: Id,
    outcome: literals([
      'completed',
      'completed-with-exceptions',
      'rolled-back',
      'rollback-failed',
      'cancelled',
    ]),
    counts: GateInputs,
  }),
);

export const PackageVersion = Type.Object({
  package: Text,
  architecture: Type.String(),
  before: nullable(Type.String()),
  after: nullable(Type.String()),
});
export type PackageVersion = Static<typeof PackageVersion>;

/** End states of an endpoint in a rollout. */
export const OUTCOMES = [
  'verified',
  'already-compliant',
  'failed',
  'timed-out',
  'cancelled',
  'rolled-back',
  'rollback-failed',
] as const;

/** Key: rolloutId. */
export const OutcomesRecorded = outcomes(
  'OutcomesRecorded',
  Type.Object({
    rolloutId: Id,
    ring: Text,
    patches: Type.Array(PatchRef),
    outcomes: Type.Array(
      Type.Object({
        attemptId: nullable(Id),
        endpointId: Id,
        outcome: literals(OUTCOMES),
        /** Failure class: `maintainer-script`, `lock-timeout`, `silence` …; empty on success. */
        class: Type.String(),
        detail: Type.String(),
        versions: Type.Array(PackageVersion),
        /** The endpoint's clock. */
        deviceTime: nullable(Instant),
        /** It came after the endpoint had reached its end state, which it does not change. */
        late: Type.Boolean(),
      }),
    ),
  }),
);
