import { describe, expect, it } from '@jest/globals';
import { fold, specFor } from '@patchtrail/event-sourcing';
import { AT } from './examples.suite.js';
import { wavePart } from './wave-part.js';
import type { IssuedLease, RecordedOutcome, WavePartEvent } from './wave-part-messages.js';
import { countersOf, stateNameOf } from './wave-part-state.js';
import { get } from './table.js';

const given = specFor(wavePart);
const [A, B, C] = ['endpoint-a', 'endpoint-b', 'endpoint-c'];
const IN_10_MIN = '2026-11-21T09:10:00.000Z';

const planned: WavePartEvent = {
  type: 'PartPlanned',
  data: { rolloutId: 'r', ring: 0, part: 0, endpoints: [A, B, C] },
};
const opening = {
  ...{ epoch: 1, share: 2, leaseMs: 600_000 },
  retry: { attemptsMax: 2, backoffMs: 30_000 },
};
const opened: WavePartEvent = { type: 'PartOpened', data: opening };
const leaseOf = (
  endpointId: string,
  attempt = 1,
  change: Partial<IssuedLease> = {},
): IssuedLease => ({
  ...{ attemptId: `${endpointId} ${attempt}`, endpointId, kind: 'install', attempt, epoch: 1 },
  ...{ leaseExpiresAt: IN_10_MIN, rollbackOf: null },
  ...change,
});
const issued = (...leases: IssuedLease[]): WavePartEvent => ({
  type: 'LeasesIssued',
  data: { leases },
});
const confirmed = ({ attemptId, endpointId, epoch }: IssuedLease): WavePartEvent => ({
  type: 'LeasesConfirmed',
  data: { epoch, attempts: [{ attemptId, endpointId }] },
});
const timer = (timerId: string, dueAt: string, purpose: string): WavePartEvent => ({
  type: 'TimerScheduled',
  data: { timerId, dueAt, purpose, generation: 1 },
});
const said = ({ attemptId, endpointId }: IssuedLease, change: Partial<RecordedOutcome> = {}) => ({
  ...{ attemptId, endpointId, outcome: 'verified' as const, class: '', detail: '', versions: [] },
  ...{ deviceTime: AT, reportDigest: 'first', disposition: 'final' as const },
  ...change,
});
const recorded = (...outcomes: RecordedOutcome[]): WavePartEvent => ({
  type: 'OutcomesRecorded',
  data: { outcomes },
});
const report = (lease: IssuedLease, change: object = {}) => {
  const { disposition: _, ...told } = said(lease);
  return {
    type: 'RecordOutcome',
    data: { ...told, epoch: lease.epoch, transient: false, at: AT, ...change },
  } as const;
};
const issue = (endpointId: string, change: object = {}) =>
  ({
    type: 'IssueLease',
    data: { endpointId, attempt: 1, attemptId: `${endpointId} 1`, epoch: 1, at: AT, ...change },
  }) as const;
const confirm = ({ attemptId, endpointId }: IssuedLease, epoch = 1) =>
  ({ type: 'ConfirmLease', data: { attemptId, endpointId, epoch } }) as const;
const elapse = (timerId: string, generation = 1) =>
  ({ type: 'ElapseTimer', data: { timerId, generation } }) as const;
const halt = (epoch: number) => ({ type: 'HaltPart', data: { epoch } }) as const;
const halted = (...stopped: object[]) =>
  ({ type: 'PartHalted', data: { epoch: 2, stopped } }) as WavePartEvent;
const expired = (endpointId: string, attemptId: string | null): WavePartEvent => ({
  type: 'LeasesExpired',
  data: {
    kind: 'install',
    detail: 'no report before the lease expired',
    expired: [{ endpointId, attemptId }],
  },
});

const a = leaseOf(A);
const b = leaseOf(B);
const open = [planned, opened] as const;
const running = [...open, issued(a), confirmed(a)] as const;
const stateOf = (events: readonly WavePartEvent[], endpointId: string) => {
  const part = fold(wavePart, events);
  const endpoint = part.status === 'absent' ? undefined : get(part.endpoints, endpointId);
  return endpoint && stateNameOf(endpoint);
};

describe('planning and opening', () => {
  it('plans an endpoint once', () => {
    const again = { type: 'PlanPart', data: planned.data } as const;
    given()
      .when({ ...again, data: { ...planned.data } })
      .then(planned);
    given(planned).when(again).thenNothing();
  });
  it('opens once, and never after a halt', () => {
    const command = { type: 'OpenPart', data: opening } as const;
    given(planned).when(command).then(opened);
    given(...open)
      .when(command)
      .thenNothing();
    given(planned, halted()).when(command).thenNothing();
    given().when(command).thenRefused('part-not-planned');
  });
});

describe('leases', () => {
  it('go out with a deadline', () =>
    given(...open)
      .when(issue(A))
      .then(issued(a), timer('lease-deadline:endpoint-a 1', IN_10_MIN, 'lease-deadline')));
  it('are no more than the share', () =>
    given(...open, issued(a), issued(b))
      .when(issue(C))
      .thenRefused('no-free-slot'));
  it('free their slot when they end', () => {
    const past = [...open, issued(a), issued(b), recorded(said(a))];
    expect(() => wavePart.decide(issue(C), fold(wavePart, past))).not.toThrow();
  });
  it.each([
    ['before the part is open', [planned], issue(A), 'part-not-open'],
    ['after a halt', [...open, halted()], issue(A, { epoch: 2 }), 'part-not-open'],
    ['of another epoch', open, issue(A, { epoch: 2 }), 'epoch-superseded'],
    ['to a stranger', open, issue('endpoint-x'), 'endpoint-not-planned'],
    ['twice to an endpoint', [...open, issued(a)], issue(A, { attempt: 2 }), 'already-leased'],
    ['of another attempt', open, issue(A, { attempt: 2 }), 'attempt-mismatch'],
    ['after the end', [...running, recorded(said(a))], issue(A, { attempt: 2 }), 'nothing-to-do'],
  ] as const)('are refused %s', (_, past, command, code) =>
    given(...past)
      .when(command)
      .thenRefused(code),
  );
});

describe('the start', () => {
  it('is confirmed once', () => {
    given(...open, issued(a))
      .when(confirm(a))
      .then(confirmed(a));
    given(...running)
      .when(confirm(a))
      .thenNothing();
  });
  it.each([
    ['in another epoch', [...open, issued(a)], confirm(a, 2), 'epoch-superseded'],
    ['after a halt', [...running, halted()], confirm(a), 'epoch-superseded'],
    ['in the epoch of the halt', [...running, halted()], confirm(a, 2), 'epoch-superseded'],
    [
      'of a lease that expired',
      [...open, issued(a), expired(A, a.attemptId)],
      confirm(a),
      'lease-ended',
    ],
    ['of no lease', open, confirm(a), 'unknown-lease'],
    [
      'of the lease of another',
      [...open, issued(a)],
      confirm({ ...a, endpointId: B }),
      'lease-of-another-endpoint',
    ],
  ] as const)('is refused %s', (_, past, command, code) =>
    given(...past)
      .when(command)
      .thenRefused(code),
  );
});

describe('an outcome', () => {
  it('ends the endpoint', () => {
    given(...running)
      .when(report(a))
      .then(recorded(said(a)));
    expect(stateOf([...running, recorded(said(a))], A)).toBe('verified');
  });
  it('may come before a start that was not needed', () =>
    given(...open, issued(a))
      .when(report(a, { outcome: 'already-compliant' }))
      .then(recorded(said(a, { outcome: 'already-compliant' }))));
  it('is recorded once, and once more when it is late and different', () => {
    const past = [...running, recorded(said(a))];
    const late = said(a, { outcome: 'failed', reportDigest: 'second', disposition: 'late' });
    const second = report(a, { outcome: 'failed', reportDigest: 'second' });
    given(...past)
      .when(report(a))
      .thenNothing();
    given(...past)
      .when(second)
      .then(recorded(late));
    expect(stateOf([...past, recorded(late)], A)).toBe('verified');
    given(...past, recorded(late))
      .when(report(a, { reportDigest: 'third' }))
      .thenRefused('already-reported');
  });
  it('after the deadline changes nothing', () => {
    const past = [...running, expired(A, a.attemptId)];
    const late = said(a, { disposition: 'late' });
    given(...past)
      .when(report(a))
      .then(recorded(late));
    expect(stateOf([...past, recorded(late)], A)).toBe('timed-out');
    given(...past, recorded(late))
      .when(report(a, { reportDigest: 'second' }))
      .thenRefused('already-reported');
  });
  it('that is transient is tried again after the backoff, as often as the plan says', () => {
    const change = { outcome: 'failed', class: 'lock-timeout' } as const;
    const dueAt = '2026-11-21T09:00:30.000Z';
    const retried = said(a, { ...change, disposition: 'retry' });
    const { attemptId } = a;
    const scheduled: WavePartEvent = {
      type: 'RetryScheduled',
      data: { endpointId: A, attemptId, dueAt },
    };
    const due: WavePartEvent = { type: 'RetryDue', data: { endpointId: A, attemptId } };
    given(...running)
      .when(report(a, { ...change, transient: true }))
      .then(recorded(retried), scheduled, timer(`retry:${attemptId}`, dueAt, 'retry'));
    const waiting = [...running, recorded(retried), scheduled];
    given(...waiting)
      .when(issue(A, { attempt: 2 }))
      .thenRefused('nothing-to-do');
    given(...waiting)
      .when(elapse(`retry:${attemptId}`))
      .then(due);
    given(...waiting)
      .when(elapse(`retry:${attemptId}`, 2))
      .thenNothing();
    given(...waiting, due)
      .when(elapse(`retry:${attemptId}`))
      .thenNothing();
    const second = leaseOf(A, 2);
    given(...waiting, due, issued(second), confirmed(second))
      .when(report(second, { ...change, transient: true }))
      .then(recorded(said(second, change)));
  });
  it('that is transient is final once the part has halted', () => {
    const change = { outcome: 'failed', class: 'lock-timeout' } as const;
    given(...running, halted())
      .when(report(a, { ...change, transient: true }))
      .then(recorded(said(a, change)));
  });
  it.each([
    ['for another endpoint', report({ ...a, endpointId: B }), 'lease-of-another-endpoint'],
    ['of an unknown lease', report(leaseOf(A, 7)), 'unknown-lease'],
    ['of another epoch', report(a, { epoch: 2 }), 'epoch-mismatch'],
    ['of a rollback', report(a, { outcome: 'rolled-back' }), 'outcome-not-of-kind'],
  ])('is refused %s', (_, command, code) =>
    given(...running)
      .when(command)
      .thenRefused(code),
  );
  it('of success needs a start', () =>
    given(...open, issued(a))
      .when(report(a))
      .thenRefused('lease-not-confirmed'));
});

describe('silence', () => {
  it('past the lease is a failure, once', () => {
    const deadline = elapse(`lease-deadline:${a.attemptId}`);
    given(...running)
      .when(deadline)
      .then(expired(A, a.attemptId));
    given(...running, expired(A, a.attemptId))
      .when(deadline)
      .thenNothing();
    given(...running, recorded(said(a)))
      .when(deadline)
      .thenNothing();
  });
  it('past the deadline of the ring ends whoever has not ended', () => {
    const past = [...running, issued(b), recorded(said(b, { outcome: 'already-compliant' }))];
    const part = fold(wavePart, past);
    const command = { type: 'ExpirePart', data: { kind: 'install' } } as const;
    const [event, ...others] = wavePart.decide(command, part);
    expect(others).toEqual([]);
    expect(event).toMatchObject({ type: 'LeasesExpired', data: { kind: 'install' } });
    const after = fold(wavePart, event === undefined ? past : [...past, event]);
    expect(countersOf(after)).toMatchObject({ planned: 3, timedOut: 2, alreadyCompliant: 1 });
    expect(wavePart.decide(command, after)).toEqual([]);
  });
});

describe('a halt', () => {
  const past = [...open, issued(a), confirmed(a), issued(b)];
  const part = fold(wavePart, past);
  const events = wavePart.decide(halt(2), part);
  const after = fold(wavePart, [...past, ...events]);

  it('recalls what has not started, and lets the rest run to its end', () => {
    expect(countersOf(after)).toMatchObject({ planned: 3, inFlight: 1, cancelled: 2 });
    expect(after).toMatchObject({ status: 'halted', epoch: 2, recalledCount: 1 });
    expect(stateOf([...past, ...events], A)).toBe('installing');
  });
  it('twice is once', () => {
    expect(wavePart.decide(halt(2), after)).toEqual([]);
    expect(wavePart.decide(halt(1), after)).toEqual([]);
  });
  it('leaves an endpoint whose last attempt failed as failed', () => {
    const failure = said(a, { outcome: 'failed', class: 'lock-timeout', disposition: 'retry' });
    const waiting = [...running, recorded(failure)];
    const stopped = wavePart.decide(halt(2), fold(wavePart, waiting));
    expect(stateOf([...waiting, ...stopped], A)).toBe('failed');
    expect(stateOf([...waiting, ...stopped], B)).toBe('cancelled');
  });
});

describe('a rollback', () => {
  const start = (epoch = 2) => ({ type: 'StartRollback', data: { epoch } }) as const;
  const changed = [...running, recorded(said(a, { outcome: 'failed', class: 'x' })), issued(b)];
  const stopped = halted(
    { endpointId: B, attemptId: b.attemptId, outcome: 'cancelled', class: 'halted', detail: '' },
    { endpointId: C, attemptId: null, outcome: 'cancelled', class: 'halted', detail: '' },
  );
  const rollbackPlanned: WavePartEvent = {
    type: 'RollbackPlanned',
    data: { epoch: 2, endpoints: [{ endpointId: A, rollbackOf: a.attemptId }] },
  };
  const undo = leaseOf(A, 1, {
    ...{ attemptId: 'undo', kind: 'rollback', epoch: 2, rollbackOf: a.attemptId },
  });

  it('is for the endpoints that were changed, and no others', () => {
    given(...changed, stopped)
      .when(start())
      .then(rollbackPlanned);
    given(...changed, stopped, rollbackPlanned)
      .when(start())
      .thenNothing();
    given(planned, halted()).when(start()).thenNothing();
  });
  it('includes who fell silent after the start, not who was compliant or never started', () => {
    const silent = [...running, expired(A, a.attemptId), issued(b), expired(B, b.attemptId)];
    given(...silent, halted())
      .when(start())
      .then(rollbackPlanned);
    const compliant = said(a, { outcome: 'already-compliant' });
    given(...running, recorded(compliant), halted())
      .when(start())
      .thenNothing();
  });
  it('waits for the halt and for what is in flight', () => {
    given(...changed)
      .when(start())
      .thenRefused('part-not-halted');
    given(...changed, stopped)
      .when(start(3))
      .thenRefused('part-not-halted');
    given(...running, halted())
      .when(start())
      .thenRefused('still-in-flight');
  });
  it('is leased, confirmed and reported as an install is', () => {
    const past = [...changed, stopped, rollbackPlanned];
    given(...past)
      .when(issue(A, { attemptId: 'undo', epoch: 2 }))
      .then(issued(undo), timer('lease-deadline:undo', IN_10_MIN, 'lease-deadline'));
    given(...past)
      .when(issue(C, { epoch: 2 }))
      .thenRefused('nothing-to-do');
    const rolling = [...past, issued(undo), confirmed(undo)];
    given(...rolling)
      .when(report(undo))
      .thenRefused('outcome-not-of-kind');
    const done = said(undo, { outcome: 'rolled-back' });
    const ended: WavePartEvent = { type: 'RollbacksRecorded', data: { outcomes: [done] } };
    given(...rolling)
      .when(report(undo, { outcome: 'rolled-back' }))
      .then(ended);
    expect(stateOf([...rolling, ended], A)).toBe('rolled-back');
    expect(countersOf(fold(wavePart, [...rolling, ended]))).toMatchObject({
      ...{ failed: 1, rolledBack: 1, rollbackFailed: 0, rollingBack: 0, inFlight: 0 },
    });
  });
  it('that nobody reports has failed', () => {
    const past = [...changed, stopped, rollbackPlanned];
    const command = { type: 'ExpirePart', data: { kind: 'rollback' } } as const;
    const events = wavePart.decide(command, fold(wavePart, past));
    expect(stateOf([...past, ...events], A)).toBe('rollback-failed');
    expect(countersOf(fold(wavePart, [...past, ...events]))).toMatchObject({ rollbackFailed: 1 });
    expect(stateOf([...past, ...events], B)).toBe('cancelled');
  });
});
