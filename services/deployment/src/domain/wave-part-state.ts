import { type Counters, zeroCounters } from './counters.js';
import type { RetryPolicy } from './plan.js';
import { emptyTable, entriesOf, get, put, type Table } from './table.js';
import type {
  ExpiredEndpoint,
  InstallOutcome,
  IssuedLease,
  Kind,
  RecordedOutcome,
  RollbackOutcome,
  StoppedEndpoint,
  WavePartEvent,
} from './wave-part-messages.js';

export type Endpoint = Readonly<{
  /** What is being done with it now, or was done last. */
  kind: Kind;
  progress: 'waiting' | 'leased' | 'running' | 'backoff' | 'ended';
  /** Attempts of this kind so far. */
  attempts: number;
  /** The attempt in hand, or the last one. */
  attemptId: string | null;
  installed: InstallOutcome | null;
  rolledBack: RollbackOutcome | null;
  class: string;
  detail: string;
  /** The last attempt that ran on it and may have changed it. */
  changedBy: string | null;
  rollbackOf: string | null;
}>;

export type Attempt = Readonly<{
  lease: Readonly<IssuedLease>;
  confirmed: boolean;
  ended: boolean;
  /** A report came after its end. */
  toldLate: boolean;
  /** Digests of the reports recorded, the late one included. */
  reports: readonly string[];
}>;

export type PlannedPart = Readonly<{
  status: 'planned' | 'open' | 'halted' | 'rolling-back';
  rolloutId: string;
  ring: number;
  part: number;
  epoch: number;
  /** Leases that may be out at once. */
  share: number;
  leaseMs: number;
  retry: RetryPolicy;
  /** Leases that were out and not started when it was halted. */
  recalledCount: number;
  endpoints: Table<Endpoint>;
  attempts: Table<Attempt>;
}>;

export type WavePart = Readonly<{ status: 'absent' }> | PlannedPart;

const untouched: Endpoint = {
  kind: 'install',
  progress: 'waiting',
  attempts: 0,
  attemptId: null,
  installed: null,
  rolledBack: null,
  class: '',
  detail: '',
  changedBy: null,
  rollbackOf: null,
};

export function evolve(state: WavePart, event: WavePartEvent): WavePart {
  if (event.type === 'PartPlanned') return planned(state, event.data);
  if (state.status === 'absent') throw new Error(`Corrupt stream: it opens with ${event.type}.`);
  if (event.type === 'OutcomesRecorded' || event.type === 'RollbacksRecorded') {
    return event.data.outcomes.reduce(recorded, state);
  }
  return evolvePlanned(state, event);
}

type PlannedEvent = Exclude<
  WavePartEvent,
  { type: 'PartPlanned' | 'OutcomesRecorded' | 'RollbacksRecorded' }
>;

function evolvePlanned(part: PlannedPart, { type, data }: PlannedEvent): WavePart {
  switch (type) {
    case 'PartOpened':
      return { ...part, ...data, status: 'open' };
    case 'LeasesIssued':
      return data.leases.reduce(issued, part);
    case 'LeasesConfirmed':
      return data.attempts.reduce(confirmed, part);
    case 'LeasesExpired':
      return data.expired.reduce((into, one) => expired(into, one, data.kind, data.detail), part);
    case 'RetryDue':
      return withEndpoint(part, data.endpointId, { progress: 'waiting' });
    case 'PartHalted':
      return halted(part, data.epoch, data.stopped);
    case 'RollbackPlanned':
      return {
        ...data.endpoints.reduce(rollbackPlanned, part),
        status: 'rolling-back',
        epoch: data.epoch,
      };
    case 'RetryScheduled':
    case 'TimerScheduled':
      return part;
  }
}

function planned(
  state: WavePart,
  data: { rolloutId: string; ring: number; part: number; endpoints: readonly string[] },
): WavePart {
  const { endpoints: added, ...identity } = data;
  const before: PlannedPart =
    state.status === 'absent'
      ? {
          ...identity,
          status: 'planned',
          epoch: 0,
          share: 0,
          leaseMs: 0,
          retry: { attemptsMax: 1, backoffMs: 0 },
          recalledCount: 0,
          endpoints: emptyTable,
          attempts: emptyTable,
        }
      : state;
  const endpoints = added.reduce((into, id) => put(into, id, untouched), before.endpoints);
  return { ...before, endpoints };
}

function withEndpoint(part: PlannedPart, id: string, change: Partial<Endpoint>): PlannedPart {
  const before = get(part.endpoints, id);
  if (before === undefined) throw new Error(`Corrupt stream: endpoint ${id} was never planned.`);
  return { ...part, endpoints: put(part.endpoints, id, { ...before, ...change }) };
}

function withAttempt(part: PlannedPart, id: string, change: Partial<Attempt>): PlannedPart {
  const attempt = { ...attemptIn(part, id), ...change };
  return { ...part, attempts: put(part.attempts, id, attempt) };
}

function attemptIn(part: PlannedPart, id: string): Attempt {
  const attempt = get(part.attempts, id);
  if (attempt === undefined) throw new Error(`Corrupt stream: attempt ${id} was never issued.`);
  return attempt;
}

function issued(part: PlannedPart, lease: IssuedLease): PlannedPart {
  const attempt: Attempt = { lease, confirmed: false, ended: false, toldLate: false, reports: [] };
  const attempts = put(part.attempts, lease.attemptId, attempt);
  const { attemptId, attempt: number } = lease;
  const change = { progress: 'leased', attempts: number, attemptId } as const;
  return withEndpoint({ ...part, attempts }, lease.endpointId, change);
}

function confirmed(
  part: PlannedPart,
  { attemptId, endpointId }: { attemptId: string; endpointId: string },
): PlannedPart {
  const running = withEndpoint(part, endpointId, { progress: 'running' });
  return withAttempt(running, attemptId, { confirmed: true });
}

function recorded(part: PlannedPart, report: RecordedOutcome): PlannedPart {
  const { attemptId, endpointId, outcome, disposition } = report;
  const attempt = attemptIn(part, attemptId);
  const reports = [...attempt.reports, report.reportDigest];
  const toldLate = disposition === 'late';
  const after = withAttempt(part, attemptId, { ended: true, toldLate, reports });
  if (toldLate) return after;
  const changed = attempt.confirmed && (outcome === 'verified' || outcome === 'failed');
  const said = {
    class: report.class,
    detail: report.detail,
    ...(changed ? { changedBy: attemptId } : {}),
  };
  if (disposition === 'retry') {
    return withEndpoint(after, endpointId, { ...said, progress: 'backoff' });
  }
  const end =
    outcome === 'rolled-back' || outcome === 'rollback-failed'
      ? { rolledBack: outcome }
      : { installed: outcome };
  return withEndpoint(after, endpointId, { ...said, ...end, progress: 'ended' });
}

function expired(part: PlannedPart, one: ExpiredEndpoint, kind: Kind, detail: string): PlannedPart {
  const { attemptId, endpointId } = one;
  const ran = attemptId !== null && attemptIn(part, attemptId).confirmed;
  const after = attemptId === null ? part : withAttempt(part, attemptId, { ended: true });
  return withEndpoint(after, endpointId, {
    progress: 'ended',
    class: 'silence',
    detail,
    ...(kind === 'install' ? { installed: 'timed-out' } : { rolledBack: 'rollback-failed' }),
    ...(ran && kind === 'install' ? { changedBy: attemptId } : {}),
  });
}

function halted(part: PlannedPart, epoch: number, all: readonly StoppedEndpoint[]): PlannedPart {
  const before = part.status === 'halted' ? part.recalledCount : 0;
  const recalledCount = before + all.filter(({ attemptId }) => attemptId !== null).length;
  return { ...all.reduce(stopped, part), status: 'halted', epoch, recalledCount };
}

function stopped(part: PlannedPart, one: StoppedEndpoint): PlannedPart {
  const { attemptId, endpointId, outcome } = one;
  const after = attemptId === null ? part : withAttempt(part, attemptId, { ended: true });
  const said = { class: one.class, detail: one.detail };
  return withEndpoint(after, endpointId, { ...said, progress: 'ended', installed: outcome });
}

function rollbackPlanned(
  part: PlannedPart,
  { endpointId, rollbackOf }: { endpointId: string; rollbackOf: string },
): PlannedPart {
  const change = { kind: 'rollback', progress: 'waiting', attempts: 0, rollbackOf } as const;
  return withEndpoint(part, endpointId, change);
}

export function isInFlight({ progress }: Endpoint): boolean {
  return progress === 'leased' || progress === 'running';
}

const NAMES = {
  install: {
    waiting: 'planned',
    leased: 'leased',
    running: 'installing',
    backoff: 'waiting-for-retry',
  },
  rollback: {
    waiting: 'rollback-planned',
    leased: 'rollback-leased',
    running: 'rolling-back',
    backoff: 'rollback-waiting-for-retry',
  },
} as const;

/** The one state an endpoint is in, by the name that people see. */
export function stateNameOf(endpoint: Endpoint): string {
  if (endpoint.progress !== 'ended') return NAMES[endpoint.kind][endpoint.progress];
  return endpoint.rolledBack ?? endpoint.installed ?? 'planned';
}

/** A recount of the endpoints; nothing is counted twice or kept. */
export function countersOf(part: WavePart): Counters {
  const count: { -readonly [name in keyof Counters]: number } = { ...zeroCounters };
  if (part.status === 'absent') return count;
  for (const [, endpoint] of entriesOf(part.endpoints)) {
    count.planned += 1;
    count[installCounterOf(endpoint)] += 1;
    if (endpoint.kind === 'rollback') count[rollbackCounterOf(endpoint)] += 1;
  }
  return count;
}

function installCounterOf(endpoint: Endpoint): keyof Counters {
  switch (endpoint.installed) {
    case null:
      return isInFlight(endpoint) ? 'inFlight' : 'waiting';
    case 'already-compliant':
      return 'alreadyCompliant';
    case 'timed-out':
      return 'timedOut';
    case 'verified':
    case 'failed':
    case 'cancelled':
      return endpoint.installed;
  }
}

function rollbackCounterOf(endpoint: Endpoint): keyof Counters {
  if (endpoint.rolledBack === 'rolled-back') return 'rolledBack';
  if (endpoint.rolledBack === 'rollback-failed') return 'rollbackFailed';
  return isInFlight(endpoint) ? 'rollingBack' : 'rollbackPending';
}
