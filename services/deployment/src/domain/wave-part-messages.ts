import type { Message } from '@patchtrail/event-sourcing';
import type { RetryPolicy } from './plan.js';
import type { TimerScheduled } from './timer.js';

export type Kind = 'install' | 'rollback';
export type InstallOutcome =
  'verified' | 'already-compliant' | 'failed' | 'timed-out' | 'cancelled';
export type RollbackOutcome = 'rolled-back' | 'rollback-failed';
/** What an agent can say; silence and recall are ours to say. */
export type ReportedOutcome =
  'verified' | 'already-compliant' | 'failed' | 'rolled-back' | 'rollback-failed';

export type PackageVersion = {
  package: string;
  architecture: string;
  before: string | null;
  after: string | null;
};

export type IssuedLease = {
  attemptId: string;
  endpointId: string;
  kind: Kind;
  /** 1 for the first attempt of its kind. */
  attempt: number;
  epoch: number;
  leaseExpiresAt: string;
  rollbackOf: string | null;
};

export type RecordedOutcome = {
  attemptId: string;
  endpointId: string;
  outcome: ReportedOutcome;
  class: string;
  detail: string;
  versions: PackageVersion[];
  deviceTime: string | null;
  reportDigest: string;
  /** `final`: its end state; `retry`: another attempt follows; `late`: it had ended already. */
  disposition: 'final' | 'retry' | 'late';
};

export type ExpiredEndpoint = {
  endpointId: string;
  /** `null` if it never took a lease. */
  attemptId: string | null;
};

export type StoppedEndpoint = {
  endpointId: string;
  /** The recalled lease, `null` if there was none. */
  attemptId: string | null;
  outcome: 'cancelled' | 'failed';
  class: string;
  detail: string;
};

export type WavePartCommand =
  | Message<'PlanPart', { rolloutId: string; ring: number; part: number; endpoints: string[] }>
  | Message<'OpenPart', { epoch: number; share: number; leaseMs: number; retry: RetryPolicy }>
  | Message<
      'IssueLease',
      { endpointId: string; attempt: number; attemptId: string; epoch: number; at: string }
    >
  | Message<'ConfirmLease', { attemptId: string; endpointId: string; epoch: number }>
  | Message<
      'RecordOutcome',
      Omit<RecordedOutcome, 'disposition'> & { epoch: number; transient: boolean; at: string }
    >
  | Message<'ElapseTimer', { timerId: string; generation: number }>
  | Message<'ExpirePart', { kind: Kind }>
  | Message<'HaltPart', { epoch: number }>
  | Message<'StartRollback', { epoch: number }>;

export type WavePartEvent =
  | Message<'PartPlanned', { rolloutId: string; ring: number; part: number; endpoints: string[] }>
  | Message<'PartOpened', { epoch: number; share: number; leaseMs: number; retry: RetryPolicy }>
  | Message<'LeasesIssued', { leases: IssuedLease[] }>
  | Message<
      'LeasesConfirmed',
      { epoch: number; attempts: { attemptId: string; endpointId: string }[] }
    >
  | Message<'OutcomesRecorded', { outcomes: RecordedOutcome[] }>
  | Message<'RollbacksRecorded', { outcomes: RecordedOutcome[] }>
  | Message<'LeasesExpired', { kind: Kind; detail: string; expired: ExpiredEndpoint[] }>
  | Message<'RetryScheduled', { endpointId: string; attemptId: string; dueAt: string }>
  | Message<'RetryDue', { endpointId: string; attemptId: string }>
  | Message<'PartHalted', { epoch: number; stopped: StoppedEndpoint[] }>
  | Message<
      'RollbackPlanned',
      { epoch: number; endpoints: { endpointId: string; rollbackOf: string }[] }
    >
  | TimerScheduled;
