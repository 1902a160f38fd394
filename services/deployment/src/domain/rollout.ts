import { type Decider, DomainError } from '@patchtrail/event-sourcing';
import { gateInputsOf, sumCounters } from './counters.js';
import type { PartCount, RolloutCommand, RolloutEvent } from './rollout-messages.js';
import { type CreatedRollout, evolve, evolveCreated, type Rollout } from './rollout-state.js';
import { advance, assessWave, revisionsOf, ticket, timerKey } from './rollout-waves.js';
import { instantAfter, timerAt } from './timer.js';

type Data<T extends RolloutCommand['type']> = Extract<RolloutCommand, { type: T }>['data'];

function decide(command: RolloutCommand, state: Rollout): readonly RolloutEvent[] {
  if (command.type === 'AuthorizeRings') return authorize(command.data, state);
  if (state.status === 'absent') throw new DomainError('unknown-rollout');
  return decideCreated(command, state);
}

function decideCreated(
  { type, data }: Exclude<RolloutCommand, { type: 'AuthorizeRings' }>,
  rollout: CreatedRollout,
): readonly RolloutEvent[] {
  switch (type) {
    case 'FreezeCohort':
      return freeze(data, rollout);
    case 'AssessWave':
      return assessWave(rollout, data);
    case 'ElapseTimer':
      return elapse(data, rollout);
    case 'RequestHalt':
      return requestHalt(data, rollout);
    case 'AcknowledgeHalt':
      return acknowledgeHalt(data, rollout);
    case 'RequestRollback':
      return requestRollback(data, rollout);
    case 'AssessHalt':
      return assessHalt(data, rollout);
    case 'CancelRollout':
      return cancel(data, rollout);
  }
}

function authorize(
  { at, ...creation }: Data<'AuthorizeRings'>,
  state: Rollout,
): readonly RolloutEvent[] {
  const { uptoRing, plan, changeDigest } = creation;
  if (uptoRing >= plan.rings.length) {
    throw new DomainError('unknown-ring', `uptoRing: ${uptoRing} of ${plan.rings.length} rings`);
  }
  if (state.status === 'absent') return [{ type: 'RolloutCreated', data: creation }];
  if (changeDigest !== state.changeDigest) throw new DomainError('other-change');
  if (uptoRing <= state.uptoRing || state.status === 'closed') return [];
  const widened = { type: 'AuthorizationWidened', data: { uptoRing } } as const;
  return isWaiting(state) ? [widened, ...advance(evolveCreated(state, widened), at)] : [widened];
}

/** Every authorized ring has passed, and there is another one. */
export function isWaiting(rollout: CreatedRollout): boolean {
  const next = rollout.waves.find(({ phase }) => phase !== 'passed');
  return rollout.status === 'running' && next?.phase === 'pending';
}

function freeze({ at, ...cohort }: Data<'FreezeCohort'>, rollout: CreatedRollout) {
  if (rollout.cohort !== null) return [];
  const frozen = { type: 'CohortFrozen', data: cohort } as const;
  const after = evolveCreated(rollout, frozen);
  // Halted while it was being planned: frozen, so that every endpoint is accounted for, not opened.
  if (after.status !== 'running') return [frozen];
  const total = cohort.rings.reduce((sum, { endpointCount }) => sum + endpointCount, 0);
  if (total > 0) return [frozen, ...advance(after, at)];
  const reason = 'no endpoint in scope needs the change';
  return [frozen, closed('completed', [], 'plan', reason)];
}

function elapse({ timerId, generation }: Data<'ElapseTimer'>, rollout: CreatedRollout) {
  if (generation !== 1) return [];
  if (timerId === `rollback-deadline:${rollout.rolloutId}`) return rollbackDeadline(rollout);
  const ring = rollout.waves.findIndex((_, at) => timerId.endsWith(`:${timerKey(rollout, at)}`));
  const phase = rollout.waves[ring]?.phase;
  if (rollout.status !== 'running') return [];
  if (timerId.startsWith('bake:') && phase === 'baking') {
    return [{ type: 'BakeElapsed', data: { ring } } as const];
  }
  return timerId.startsWith('wave-deadline:') && phase === 'open'
    ? [{ type: 'WaveDeadlinePassed', data: { ring } } as const]
    : [];
}

function rollbackDeadline({ status, epoch }: CreatedRollout): readonly RolloutEvent[] {
  return status === 'rolling-back' ? [{ type: 'RollbackDeadlinePassed', data: { epoch } }] : [];
}

function requestHalt(
  { by, reason }: Data<'RequestHalt'>,
  rollout: CreatedRollout,
): readonly RolloutEvent[] {
  switch (rollout.status) {
    case 'planning':
    case 'running': {
      const open = rollout.waves.findIndex(({ phase }) => phase !== 'passed');
      const ring = rollout.cohort === null || open === -1 ? null : open;
      const epoch = rollout.epoch + 1;
      return [
        { type: 'HaltRequested', data: { ring, origin: 'operator', cause: reason, by, epoch } },
      ];
    }
    case 'halting':
    case 'halted':
    case 'rolling-back':
      return [];
    case 'closed':
      throw new DomainError('rollout-closed');
  }
}

function acknowledgeHalt(
  data: Data<'AcknowledgeHalt'>,
  { status, epoch }: CreatedRollout,
): readonly RolloutEvent[] {
  const isAwaited = status === 'halting' && data.epoch === epoch;
  return isAwaited ? [{ type: 'HaltAcknowledged', data }] : [];
}

function requestRollback(
  data: Data<'RequestRollback'>,
  rollout: CreatedRollout,
): readonly RolloutEvent[] {
  if (rollout.status === 'closed') throw new DomainError('rollout-closed');
  if (rollout.status === 'planning' || rollout.status === 'running') {
    throw new DomainError('not-halted', 'halt the rollout before rolling it back');
  }
  return rollout.rollbackBy === null ? [{ type: 'RollbackRequested', data }] : [];
}

/** What follows from the counters of all parts once the rollout has stopped. */
function assessHalt(data: Data<'AssessHalt'>, rollout: CreatedRollout): readonly RolloutEvent[] {
  const counters = sumCounters(data.parts.map((part) => part.counters));
  if (!isComplete(data.parts, rollout)) return [];
  if (rollout.status === 'halted' && rollout.rollbackBy !== null) {
    return counters.inFlight > 0 ? [] : startRollback(data, rollout, rollout.rollbackBy);
  }
  if (rollout.status !== 'rolling-back') return [];
  const { rolledBack, rollbackFailed } = counters;
  if (rolledBack + rollbackFailed < rollout.rollbackCount) return [];
  const numbers = `${rolledBack} of ${rollout.rollbackCount} endpoints rolled back`;
  const by = rollout.rollbackBy ?? '';
  if (rollbackFailed === 0) return [closed('rolled-back', data.parts, by, numbers)];
  return [
    ticket(data.ticketId, `Rollback failed: ${numbers}`, data.failures),
    closed('rollback-failed', data.parts, by, numbers),
  ];
}

function isComplete(parts: readonly PartCount[], rollout: CreatedRollout): boolean {
  if (rollout.cohort === null) return false;
  const planned = sumCounters(parts.map((part) => part.counters)).planned;
  return planned === rollout.cohort.rings.reduce((sum, ring) => sum + ring.endpointCount, 0);
}

function startRollback(
  { parts, touchedCount, at }: Data<'AssessHalt'>,
  rollout: CreatedRollout,
  by: string,
): readonly RolloutEvent[] {
  const opened = rollout.plan.rings.filter((_, ring) => rollout.waves[ring]?.phase !== 'pending');
  const deadlineMs = Math.max(0, ...opened.map((ring) => ring.deadlineMs));
  const deadlineAt = instantAfter(at, deadlineMs);
  const { epoch } = rollout;
  const started: RolloutEvent = {
    type: 'RollbackStarted',
    data: { by, epoch, endpointCount: touchedCount, deadlineAt, parts: revisionsOf(parts) },
  };
  if (touchedCount === 0) {
    return [started, closed('rolled-back', parts, by, 'no endpoint had been changed')];
  }
  return [started, timerAt(deadlineAt, 'rollback-deadline', rollout.rolloutId)];
}

function cancel(
  { by, reason, parts }: Data<'CancelRollout'>,
  rollout: CreatedRollout,
): readonly RolloutEvent[] {
  if (rollout.status === 'closed') {
    if (rollout.outcome === 'cancelled') return [];
    throw new DomainError('rollout-closed');
  }
  if (rollout.status !== 'halted') {
    throw new DomainError('not-halted', 'only a halted rollout can be cancelled');
  }
  if (rollout.rollbackBy !== null) throw new DomainError('rollback-requested');
  const { inFlight } = sumCounters(parts.map((part) => part.counters));
  if (inFlight > 0 || !isComplete(parts, rollout)) {
    throw new DomainError('still-in-flight', `${inFlight} endpoints have not ended yet`);
  }
  return [closed('cancelled', parts, by, reason)];
}

function closed(
  outcome: 'completed' | 'rolled-back' | 'rollback-failed' | 'cancelled',
  parts: readonly PartCount[],
  by: string,
  reason: string,
): RolloutEvent {
  const counts = gateInputsOf(sumCounters(parts.map((part) => part.counters)));
  return { type: 'RolloutClosed', data: { outcome, counts, by, reason } };
}

export const rollout: Decider<Rollout, RolloutCommand, RolloutEvent> = {
  initial: { status: 'absent' },
  decide,
  evolve,
};
