import type { GateInputs } from './counters.js';
import type { PatchRef, Plan, Reach, Selector } from './plan.js';
import type { CohortRing, RolloutEvent, RolloutOutcome } from './rollout-messages.js';

export type Wave = Readonly<{
  phase: 'pending' | 'open' | 'baking' | 'gating' | 'passed' | 'failed';
  /** What its gate decided on; `null` before the verdict. */
  inputs: GateInputs | null;
}>;

export type CreatedRollout = Readonly<{
  /**
   * planning (cohort not frozen) → running → closed, or running → halting (asked) → halted (every
   * part has stopped) → rolling-back → closed.
   */
  status: 'planning' | 'running' | 'halting' | 'halted' | 'rolling-back' | 'closed';
  rolloutId: string;
  requestId: string;
  changeDigest: string;
  plan: Plan;
  patches: readonly PatchRef[];
  scope: Selector;
  reach?: Reach;
  uptoRing: number;
  /** A lease of a lower epoch may not start. */
  epoch: number;
  cohort: Readonly<{ digest: string; rings: readonly CohortRing[]; excludedCount: number }> | null;
  /** One per ring, in order. */
  waves: readonly Wave[];
  halt: Readonly<{ origin: 'gate' | 'operator'; cause: string; ring: number | null }> | null;
  /** Who wants the prior versions back; `null` while nobody does. */
  rollbackBy: string | null;
  rollbackCount: number;
  outcome: RolloutOutcome | null;
}>;

export type Rollout = Readonly<{ status: 'absent' }> | CreatedRollout;

/** The actor of a rollback that the plan asks for. */
const BY_PLAN = 'plan';

export function evolve(state: Rollout, event: RolloutEvent): Rollout {
  if (event.type === 'RolloutCreated') {
    return {
      ...event.data,
      status: 'planning',
      epoch: 1,
      cohort: null,
      waves: event.data.plan.rings.map(() => ({ phase: 'pending', inputs: null })),
      halt: null,
      rollbackBy: null,
      rollbackCount: 0,
      outcome: null,
    };
  }
  if (state.status === 'absent') throw new Error(`Corrupt stream: it opens with ${event.type}.`);
  return evolveCreated(state, event);
}

type LaterEvent = Exclude<RolloutEvent, { type: 'RolloutCreated' }>;

export function evolveCreated(rollout: CreatedRollout, event: LaterEvent): CreatedRollout {
  if (isWaveEvent(event)) return { ...rollout, waves: wavesAfter(rollout.waves, event) };
  if (isEndingEvent(event)) return evolveEnding(rollout, event);
  switch (event.type) {
    case 'AuthorizationWidened':
      return { ...rollout, uptoRing: event.data.uptoRing };
    case 'CohortFrozen': {
      const { cohortDigest: digest, rings, excludedCount } = event.data;
      const status = rollout.status === 'planning' ? 'running' : rollout.status;
      return { ...rollout, status, cohort: { digest, rings, excludedCount } };
    }
    case 'WaveDeadlinePassed':
    case 'RollbackDeadlinePassed':
    case 'FailureTicketRaised':
    case 'TimerScheduled':
      return rollout;
  }
}

const WAVE_EVENTS = ['WaveOpened', 'BakeStarted', 'BakeElapsed', 'GateEvaluated'] as const;
type WaveEvent = Extract<RolloutEvent, { type: (typeof WAVE_EVENTS)[number] }>;

function isWaveEvent(event: LaterEvent): event is WaveEvent {
  return WAVE_EVENTS.some((type) => type === event.type);
}

function wavesAfter(waves: readonly Wave[], event: WaveEvent): readonly Wave[] {
  return waves.with(event.data.ring, waveAfter(event));
}

function waveAfter(event: WaveEvent): Wave {
  switch (event.type) {
    case 'WaveOpened':
      return { phase: 'open', inputs: null };
    case 'BakeStarted':
      return { phase: 'baking', inputs: null };
    case 'BakeElapsed':
      return { phase: 'gating', inputs: null };
    case 'GateEvaluated':
      return { phase: event.data.verdict, inputs: event.data.inputs };
  }
}

const ENDING_EVENTS = [
  'HaltRequested',
  'HaltAcknowledged',
  'RollbackRequested',
  'RollbackStarted',
  'RolloutClosed',
] as const;
type EndingEvent = Extract<RolloutEvent, { type: (typeof ENDING_EVENTS)[number] }>;

function isEndingEvent(event: LaterEvent): event is EndingEvent {
  return ENDING_EVENTS.some((type) => type === event.type);
}

function evolveEnding(rollout: CreatedRollout, event: EndingEvent): CreatedRollout {
  switch (event.type) {
    case 'HaltRequested': {
      const { origin, cause, ring, epoch } = event.data;
      const byPlan = origin === 'gate' && rollout.plan.rollback === 'automatic';
      const rollbackBy = byPlan ? BY_PLAN : rollout.rollbackBy;
      return { ...rollout, status: 'halting', epoch, halt: { origin, cause, ring }, rollbackBy };
    }
    case 'HaltAcknowledged':
      return { ...rollout, status: 'halted' };
    case 'RollbackRequested':
      return { ...rollout, rollbackBy: event.data.by };
    case 'RollbackStarted':
      return { ...rollout, status: 'rolling-back', rollbackCount: event.data.endpointCount };
    case 'RolloutClosed':
      return { ...rollout, status: 'closed', outcome: event.data.outcome };
  }
}
