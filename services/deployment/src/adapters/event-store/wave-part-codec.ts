import { decoder, Count, literals, nullable } from '@patchtrail/contracts';
import { type Codec, jsonCodec } from '@patchtrail/event-store';
import { type TSchema, Type } from '@sinclair/typebox';
import type { WavePartEvent } from '../../domain/wave-part-messages.js';
import { TimerData } from './stored-types.js';

type Decoders = {
  [T in WavePartEvent['type']]: (data: unknown) => Extract<WavePartEvent, { type: T }>['data'];
};

const text = Type.String();
const list = <S extends TSchema>(item: S) => Type.Array(item);

const Lease = Type.Object({
  attemptId: text,
  endpointId: text,
  kind: literals(['install', 'rollback']),
  attempt: Count,
  epoch: Count,
  leaseExpiresAt: text,
  rollbackOf: nullable(text),
});

const Outcome = Type.Object({
  attemptId: text,
  endpointId: text,
  outcome: literals(['verified', 'already-compliant', 'failed', 'rolled-back', 'rollback-failed']),
  class: text,
  detail: text,
  versions: list(
    Type.Object({
      package: text,
      architecture: text,
      before: nullable(text),
      after: nullable(text),
    }),
  ),
  deviceTime: nullable(text),
  reportDigest: text,
  disposition: literals(['final', 'retry', 'late']),
});
const Outcomes = Type.Object({ outcomes: list(Outcome) });
const Retry = { endpointId: text, attemptId: text };

const decoders: Decoders = {
  PartPlanned: decoder(
    Type.Object({ rolloutId: text, ring: Count, part: Count, endpoints: list(text) }),
  ),
  PartOpened: decoder(
    Type.Object({
      epoch: Count,
      share: Count,
      leaseMs: Count,
      retry: Type.Object({ attemptsMax: Count, backoffMs: Count }),
    }),
  ),
  LeasesIssued: decoder(Type.Object({ leases: list(Lease) })),
  LeasesConfirmed: decoder(
    Type.Object({
      epoch: Count,
      attempts: list(Type.Object({ attemptId: text, endpointId: text })),
    }),
  ),
  OutcomesRecorded: decoder(Outcomes),
  RollbacksRecorded: decoder(Outcomes),
  LeasesExpired: decoder(
    Type.Object({
      kind: literals(['install', 'rollback']),
      detail: text,
      expired: list(Type.Object({ endpointId: text, attemptId: nullable(text) })),
    }),
  ),
  RetryScheduled: decoder(Type.Object({ ...Retry, dueAt: text })),
  RetryDue: decoder(Type.Object(Retry)),
  PartHalted: decoder(
    Type.Object({
      epoch: Count,
      stopped: list(
        Type.Object({
          endpointId: text,
          attemptId: nullable(text),
          outcome: literals(['cancelled', 'failed']),
          class: text,
          detail: text,
        }),
      ),
    }),
  ),
  RollbackPlanned: decoder(
    Type.Object({
      epoch: Count,
      endpoints: list(Type.Object({ endpointId: text, rollbackOf: text })),
    }),
  ),
  TimerScheduled: decoder(TimerData),
};

export const wavePartCodec: Codec<WavePartEvent> = jsonCodec<WavePartEvent>(decoders, 1);
