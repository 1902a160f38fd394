import {
  PatchRef,
  Plan,
  Reach,
  Selector,
  decoder,
  Count,
  literals,
  nullable,
} from '@patchtrail/contracts';
import { type Codec, jsonCodec } from '@patchtrail/event-store';
import { type TSchema, Type } from '@sinclair/typebox';
import type { RolloutEvent } from '../../domain/rollout-messages.js';
import { TimerData } from './stored-types.js';

type Decoders = {
  [T in RolloutEvent['type']]: (data: unknown) => Extract<RolloutEvent, { type: T }>['data'];
};

const text = Type.String();
const list = <S extends TSchema>(item: S) => Type.Array(item);

const GateInputs = Type.Object({
  planned: Count,
  verified: Count,
  failed: Count,
  timedOut: Count,
  alreadyCompliant: Count,
  cancelled: Count,
  inFlight: Count,
});
const PartRevisions = list(Type.Object({ part: Count, revision: Count }));
const Failures = list(Type.Object({ endpointId: text, class: text, detail: text }));

const decoders: Decoders = {
  RolloutCreated: decoder(
    Type.Object({
      rolloutId: text,
      requestId: text,
      changeDigest: text,
      plan: Plan,
      patches: list(PatchRef),
      scope: Selector,
      reach: Type.Optional(Reach),
      uptoRing: Count,
    }),
  ),
  AuthorizationWidened: decoder(Type.Object({ uptoRing: Count })),
  CohortFrozen: decoder(
    Type.Object({
      cohortDigest: text,
      rings: list(Type.Object({ ring: text, endpointCount: Count, parts: list(Count) })),
      excludedCount: Count,
    }),
  ),
  WaveOpened: decoder(
    Type.Object({
      ring: Count,
      name: text,
      cap: Count,
      epoch: Count,
      deadlineAt: text,
      parts: list(Type.Object({ part: Count, share: Count })),
    }),
  ),
  WaveDeadlinePassed: decoder(Type.Object({ ring: Count })),
  BakeStarted: decoder(Type.Object({ ring: Count, inputs: GateInputs, parts: PartRevisions })),
  BakeElapsed: decoder(Type.Object({ ring: Count })),
  GateEvaluated: decoder(
    Type.Object({
      ring: Count,
      name: text,
      verdict: literals(['passed', 'failed']),
      inputs: GateInputs,
      parts: PartRevisions,
      reason: text,
    }),
  ),
  HaltRequested: decoder(
    Type.Object({
      ring: nullable(Count),
      origin: literals(['gate', 'operator']),
      cause: text,
      by: text,
      epoch: Count,
    }),
  ),
  HaltAcknowledged: decoder(Type.Object({ epoch: Count, recalledCount: Count })),
  RollbackRequested: decoder(Type.Object({ by: text, reason: text })),
  RollbackStarted: decoder(
    Type.Object({
      by: text,
      epoch: Count,
      endpointCount: Count,
      deadlineAt: text,
      parts: PartRevisions,
    }),
  ),
  RollbackDeadlinePassed: decoder(Type.Object({ epoch: Count })),
  FailureTicketRaised: decoder(
    Type.Object({
      ticketId: text,
      severity: literals(['warning', 'critical']),
      summary: text,
      failures: Failures,
    }),
  ),
  RolloutClosed: decoder(
    Type.Object({
      outcome: literals([
        'completed',
        'completed-with-exceptions',
        'rolled-back',
        'rollback-failed',
        'cancelled',
      ]),
      counts: GateInputs,
      by: text,
      reason: text,
    }),
  ),
  TimerScheduled: decoder(TimerData),
};

export const rolloutCodec: Codec<RolloutEvent> = jsonCodec<RolloutEvent>(decoders, 1);
