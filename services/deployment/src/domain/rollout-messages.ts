import type { Message } from '@patchtrail/event-sourcing';
import type { Counters, GateInputs } from './counters.js';
import type { PatchRef, Plan, Reach, Selector } from './plan.js';
import type { TimerScheduled } from './timer.js';

export type RolloutOutcome =
  'completed' | 'completed-with-exceptions' | 'rolled-back' | 'rollback-failed' | 'cancelled';

/** A part's counters, folded from its stream up to `revision`. */
export type PartCount = { ring: number; part: number; revision: number; counters: Counters };

/** What a decision was taken on, so that it can be repeated. */
export type PartRevision = { part: number; revision: number };

export type Failure = { endpointId: string; class: string; detail: string };

export type CohortRing = {
  ring: string;
  endpointCount: number;
  /** Endpoints in each part. */
  parts: number[];
};

type Creation = {
  rolloutId: string;
  requestId: string;
  changeDigest: string;
  plan: Plan;
  patches: PatchRef[];
  scope: Selector;
  /** Rollouts from before it was kept have none. */
  reach?: Reach;
  /** Index of the last ring that may open. */
  uptoRing: number;
};

type Cohort = { cohortDigest: string; rings: CohortRing[]; excludedCount: number };

export type RolloutCommand =
  | Message<'AuthorizeRings', Creation & { at: string }>
  | Message<'FreezeCohort', Cohort & { at: string }>
  | Message<
      'AssessWave',
      { ring: number; parts: PartCount[]; failures: Failure[]; ticketId: string; at: string }
    >
  | Message<'ElapseTimer', { timerId: string; generation: number }>
  | Message<'RequestHalt', { by: string; reason: string }>
  | Message<'AcknowledgeHalt', { epoch: number; recalledCount: number }>
  | Message<'RequestRollback', { by: string; reason: string }>
  | Message<
      'AssessHalt',
      {
        parts: PartCount[];
        touchedCount: number;
        failures: Failure[];
        ticketId: string;
        at: string;
      }
    >
  | Message<'CancelRollout', { by: string; reason: string; parts: PartCount[] }>;

export type RolloutEvent =
  | Message<'RolloutCreated', Creation>
  | Message<'AuthorizationWidened', { uptoRing: number }>
  | Message<'CohortFrozen', Cohort>
  | Message<
      'WaveOpened',
      {
        ring: number;
        name: string;
        cap: number;
        epoch: number;
        deadlineAt: string;
        parts: { part: number; share: number }[];
      }
    >
  | Message<'WaveDeadlinePassed', { ring: number }>
  | Message<'BakeStarted', { ring: number; inputs: GateInputs; parts: PartRevision[] }>
  | Message<'BakeElapsed', { ring: number }>
  | Message<
      'GateEvaluated',
      {
        ring: number;
        name: string;
        verdict: 'passed' | 'failed';
        inputs: GateInputs;
        parts: PartRevision[];
        reason: string;
      }
    >
  | Message<
      'HaltRequested',
      {
        ring: number | null;
        origin: 'gate' | 'operator';
        cause: string;
        by: string;
        epoch: number;
      }
    >
  | Message<'HaltAcknowledged', { epoch: number; recalledCount: number }>
  | Message<'RollbackRequested', { by: string; reason: string }>
  | Message<
      'RollbackStarted',
      {
        by: string;
        epoch: number;
        endpointCount: number;
        deadlineAt: string;
        parts: PartRevision[];
      }
    >
  | Message<'RollbackDeadlinePassed', { epoch: number }>
  | Message<
      'FailureTicketRaised',
      {
        ticketId: string;
        severity: 'warning' | 'critical';
        summary: string;
        failures: Failure[];
      }
    >
  | Message<
      'RolloutClosed',
      { outcome: RolloutOutcome; counts: GateInputs; by: string; reason: string }
    >
  | TimerScheduled;
