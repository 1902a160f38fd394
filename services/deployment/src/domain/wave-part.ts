import { type Decider, DomainError } from '@patchtrail/event-sourcing';
import { firstPiece } from './append-pieces.js';
import { entriesOf, get } from './table.js';
import { instantAfter, timerAt } from './timer.js';
import type {
  IssuedLease,
  Kind,
  RecordedOutcome,
  StoppedEndpoint,
  WavePartCommand,
  WavePartEvent,
} from './wave-part-messages.js';
import {
  type Attempt,
  type Endpoint,
  evolve,
  isInFlight,
  type PlannedPart,
  type WavePart,
} from './wave-part-state.js';

type Data<T extends WavePartCommand['type']> = Extract<WavePartCommand, { type: T }>['data'];

function decide(command: WavePartCommand, state: WavePart): readonly WavePartEvent[] {
  if (command.type === 'PlanPart') return plan(command.data, state);
  if (state.status === 'absent') throw new DomainError('part-not-planned');
  return decidePlanned(command, state);
}

function decidePlanned(
  { type, data }: Exclude<WavePartCommand, { type: 'PlanPart' }>,
  part: PlannedPart,
): readonly WavePartEvent[] {
  switch (type) {
    case 'OpenPart':
      // A halt that came first has already raised the epoch: the part stays shut.
      return part.status === 'planned' ? [{ type: 'PartOpened', data }] : [];
    case 'IssueLease':
      return issue(data, part);
    case 'ConfirmLease':
      return confirm(data, part);
    case 'RecordOutcome':
      return record(data, part);
    case 'ElapseTimer':
      return elapse(data, part);
    case 'ExpirePart':
      return expire(data.kind, part);
    case 'HaltPart':
      return halt(data.epoch, part);
    case 'StartRollback':
      return startRollback(data.epoch, part);
  }
}

function plan(data: Data<'PlanPart'>, state: WavePart): readonly WavePartEvent[] {
  const known = state.status === 'absent' ? [] : state.endpoints;
  const endpoints = data.endpoints.filter((id) => get(known, id) === undefined);
  return endpoints.length === 0 ? [] : [{ type: 'PartPlanned', data: { ...data, endpoints } }];
}

function issue(data: Data<'IssueLease'>, part: PlannedPart): readonly WavePartEvent[] {
  const { endpointId, attemptId, attempt } = data;
  const kind = offeredKind(part);
  if (kind === null) throw new DomainError('part-not-open');
  if (data.epoch !== part.epoch) throw new DomainError('epoch-superseded');
  const endpoint = get(part.endpoints, endpointId);
  if (endpoint === undefined) throw new DomainError('endpoint-not-planned');
  if (isInFlight(endpoint)) throw new DomainError('already-leased');
  if (endpoint.progress !== 'waiting' || endpoint.kind !== kind) {
    throw new DomainError('nothing-to-do');
  }
  if (attempt !== endpoint.attempts + 1) throw new DomainError('attempt-mismatch');
  if (inFlightCount(part) >= part.share) throw new DomainError('no-free-slot');
  const leaseExpiresAt = instantAfter(data.at, part.leaseMs);
  const { epoch } = part;
  const { rollbackOf } = endpoint;
  const lease = { attemptId, endpointId, kind, attempt, epoch, leaseExpiresAt, rollbackOf };
  return [
    { type: 'LeasesIssued', data: { leases: [lease] } },
    timerAt(leaseExpiresAt, 'lease-deadline', attemptId),
  ];
}

/** What the part hands out at present, if anything. */
export function offeredKind(part: PlannedPart): Kind | null {
  if (part.status === 'open') return 'install';
  return part.status === 'rolling-back' ? 'rollback' : null;
}

function inFlightCount(part: PlannedPart): number {
  let count = 0;
  for (const [, endpoint] of entriesOf(part.endpoints)) if (isInFlight(endpoint)) count += 1;
  return count;
}

/** The endpoint's lease that has not ended, if there is one. */
export function activeLeaseOf(part: WavePart, endpointId: string): IssuedLease | null {
  if (part.status === 'absent') return null;
  const endpoint = get(part.endpoints, endpointId);
  if (endpoint === undefined || !isInFlight(endpoint) || endpoint.attemptId === null) return null;
  return get(part.attempts, endpoint.attemptId)?.lease ?? null;
}

function attemptOf(
  part: PlannedPart,
  data: { attemptId: string; endpointId: string },
): { attempt: Attempt; endpoint: Endpoint } {
  const attempt = get(part.attempts, data.attemptId);
  if (attempt === undefined) throw new DomainError('unknown-lease');
  if (attempt.lease.endpointId !== data.endpointId) {
    throw new DomainError('lease-of-another-endpoint');
  }
  const endpoint = get(part.endpoints, data.endpointId);
  if (endpoint === undefined) throw new DomainError('endpoint-not-planned');
  return { attempt, endpoint };
}

function confirm(data: Data<'ConfirmLease'>, part: PlannedPart): readonly WavePartEvent[] {
  const { attempt } = attemptOf(part, data);
  const { attemptId, endpointId, epoch } = data;
  if (epoch !== part.epoch || attempt.lease.epoch !== part.epoch) {
    throw new DomainError('epoch-superseded', `epoch: ${epoch} is not the current ${part.epoch}`);
  }
  if (attempt.ended) throw new DomainError('lease-ended');
  if (attempt.confirmed) return [];
  return [{ type: 'LeasesConfirmed', data: { epoch, attempts: [{ attemptId, endpointId }] } }];
}

const REPORTABLE: Readonly<Record<Kind, readonly string[]>> = {
  install: ['verified', 'already-compliant', 'failed'],
  rollback: ['rolled-back', 'rollback-failed'],
};
/** What nobody can truthfully say without having started. */
const NEEDS_START: readonly string[] = ['verified', 'rolled-back'];

function record(data: Data<'RecordOutcome'>, part: PlannedPart): readonly WavePartEvent[] {
  const { epoch, at, reportDigest, outcome, versions, deviceTime, detail } = data;
  const { attempt, endpoint } = attemptOf(part, data);
  const { lease, reports } = attempt;
  const { attemptId, endpointId } = lease;
  const report = {
    ...{ attemptId, endpointId, outcome, class: data.class, detail },
    ...{ versions, deviceTime, reportDigest },
  };
  if (lease.epoch !== epoch) {
    throw new DomainError('epoch-mismatch', `epoch: ${epoch} is not the lease's ${lease.epoch}`);
  }
  if (reports.includes(report.reportDigest)) return [];
  if (!REPORTABLE[lease.kind].includes(report.outcome)) {
    throw new DomainError('outcome-not-of-kind', `outcome: ${report.outcome} of ${lease.kind}`);
  }
  if (attempt.ended) {
    // One late truth is worth keeping; more is noise that a stream must not keep.
    if (attempt.toldLate) throw new DomainError('already-reported');
    return [outcomeEvent(lease, { ...report, disposition: 'late' })];
  }
  if (!attempt.confirmed && NEEDS_START.includes(report.outcome)) {
    throw new DomainError('lease-not-confirmed');
  }
  if (!isRetried(part, endpoint, data)) {
    return [outcomeEvent(lease, { ...report, disposition: 'final' })];
  }
  const dueAt = instantAfter(at, part.retry.backoffMs);
  return [
    outcomeEvent(lease, { ...report, disposition: 'retry' }),
    { type: 'RetryScheduled', data: { endpointId, attemptId, dueAt } },
    timerAt(dueAt, 'retry', attemptId),
  ];
}

function isRetried(part: PlannedPart, endpoint: Endpoint, data: Data<'RecordOutcome'>): boolean {
  const failed = data.outcome === 'failed' || data.outcome === 'rollback-failed';
  const again = endpoint.attempts < part.retry.attemptsMax;
  return failed && data.transient && again && offeredKind(part) === endpoint.kind;
}

function outcomeEvent(lease: Readonly<IssuedLease>, outcome: RecordedOutcome): WavePartEvent {
  const data = { outcomes: [outcome] };
  return lease.kind === 'install'
    ? { type: 'OutcomesRecorded', data }
    : { type: 'RollbacksRecorded', data };
}

function elapse(data: Data<'ElapseTimer'>, part: PlannedPart): readonly WavePartEvent[] {
  const [purpose, attemptId = ''] = data.timerId.split(':');
  const attempt = get(part.attempts, attemptId);
  if (attempt === undefined || data.generation !== 1) return [];
  const { endpointId, kind } = attempt.lease;
  if (purpose === 'lease-deadline' && !attempt.ended) {
    const detail = 'no report before the lease expired';
    const expired = [{ endpointId, attemptId }];
    return [{ type: 'LeasesExpired', data: { kind, detail, expired } }];
  }
  const endpoint = get(part.endpoints, endpointId);
  const waits = endpoint?.progress === 'backoff' && endpoint.attemptId === attemptId;
  return purpose === 'retry' && waits
    ? [{ type: 'RetryDue', data: { endpointId, attemptId } }]
    : [];
}

function expire(kind: Kind, part: PlannedPart): readonly WavePartEvent[] {
  const expired = unended(part, kind).map(([endpointId, endpoint]) => ({
    endpointId,
    attemptId: isInFlight(endpoint) ? endpoint.attemptId : null,
  }));
  if (expired.length === 0) return [];
  const detail = `no report before the deadline of the ${kind === 'install' ? 'ring' : 'rollback'}`;
  return [{ type: 'LeasesExpired', data: { kind, detail, expired: firstPiece(expired) } }];
}

function unended(part: PlannedPart, kind: Kind): readonly [string, Endpoint][] {
  return [...entriesOf(part.endpoints)].filter(
    ([, endpoint]) => endpoint.kind === kind && endpoint.progress !== 'ended',
  );
}

/** Nothing is left to expire. */
export function hasExpired(part: WavePart, kind: Kind): boolean {
  return part.status === 'absent' || unended(part, kind).length === 0;
}

function halt(epoch: number, part: PlannedPart): readonly WavePartEvent[] {
  const isFirst = epoch > part.epoch;
  const isNext = epoch === part.epoch && part.status === 'halted';
  const left = stoppable(part);
  if (!isFirst && (!isNext || left.length === 0)) return [];
  const stopped = left.map(([endpointId, endpoint]) => stoppedBy(endpointId, endpoint));
  return [{ type: 'PartHalted', data: { epoch, stopped: firstPiece(stopped) } }];
}

/** What has been confirmed runs to its end: it cannot be called back without harm. */
function stoppable(part: PlannedPart): readonly [string, Endpoint][] {
  return [...entriesOf(part.endpoints)].filter(
    ([, { progress }]) => progress !== 'ended' && progress !== 'running',
  );
}

/** Nothing is left to stop. */
export function hasStopped(part: WavePart): boolean {
  return part.status !== 'halted' || stoppable(part).length === 0;
}

function stoppedBy(endpointId: string, endpoint: Endpoint): StoppedEndpoint {
  const attemptId = endpoint.progress === 'leased' ? endpoint.attemptId : null;
  const failedBefore = endpoint.attempts > (attemptId === null ? 0 : 1);
  // That failure will not be retried any more, so it is how the endpoint ended.
  if (failedBefore) {
    const { class: failure, detail } = endpoint;
    return { endpointId, attemptId, outcome: 'failed', class: failure, detail };
  }
  const detail = attemptId === null ? 'halted before it was offered' : 'recalled before it started';
  return { endpointId, attemptId, outcome: 'cancelled', class: 'halted', detail };
}

function startRollback(epoch: number, part: PlannedPart): readonly WavePartEvent[] {
  if (part.status !== 'rolling-back') {
    if (part.status !== 'halted' || part.epoch !== epoch) throw new DomainError('part-not-halted');
    if (inFlightCount(part) > 0) throw new DomainError('still-in-flight');
  }
  const left = unplanned(part);
  if (left.length === 0) return [];
  return [{ type: 'RollbackPlanned', data: { epoch, endpoints: firstPiece(left) } }];
}

function unplanned(part: WavePart): { endpointId: string; rollbackOf: string }[] {
  if (part.status === 'absent') return [];
  return touchedBy(part).filter(
    ({ endpointId }) => get(part.endpoints, endpointId)?.kind === 'install',
  );
}

/** Every endpoint that this rollout changed is to be rolled back. */
export function hasPlannedRollback(part: WavePart): boolean {
  return unplanned(part).length === 0;
}

/** Endpoints that this rollout changed, or may have changed. */
export function touchedBy(part: WavePart): { endpointId: string; rollbackOf: string }[] {
  if (part.status === 'absent') return [];
  return [...entriesOf(part.endpoints)].flatMap(([endpointId, { changedBy }]) =>
    changedBy === null ? [] : [{ endpointId, rollbackOf: changedBy }],
  );
}

export const wavePart: Decider<WavePart, WavePartCommand, WavePartEvent> = {
  initial: { status: 'absent' },
  decide,
  evolve,
};
