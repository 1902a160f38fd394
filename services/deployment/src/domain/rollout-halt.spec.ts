import { describe, it } from '@jest/globals';
import type { Counters } from './counters.js';
import { AT } from './examples.suite.js';
import type { PartCount, RolloutCommand, RolloutEvent } from './rollout-messages.js';
import {
  given,
  IN_1_H,
  timer,
  running,
  part,
  inputs,
  haltByGate,
  ticketOf,
  haltByPat,
  acknowledged,
  request,
  elapse,
} from './rollout-examples.suite.js';

const allParts = (first: Partial<Counters>, second: Partial<Counters> = { cancelled: 2 }) => [
  part(0, { planned: 2, ...first }),
  part(1, { planned: 2, ...second }),
  part(0, { planned: 3, cancelled: 3 }, 2),
];
const assessHalt = (parts: PartCount[], touchedCount = 1): RolloutCommand => ({
  type: 'AssessHalt',
  data: { parts, touchedCount, failures: [], ticketId: 't', at: AT },
});
const haltedByPat = [...running, haltByPat, acknowledged] as const;
const haltedByGate = [...running, haltByGate('x'), acknowledged] as const;
const revisionsOfAll = [0, 1, 0].map((at) => ({ part: at, revision: 9 }));
const started = (by: string, endpointCount = 1): RolloutEvent => ({
  type: 'RollbackStarted',
  data: { by, epoch: 2, endpointCount, deadlineAt: IN_1_H, parts: revisionsOfAll },
});

describe('a halt', () => {
  it('twice is once, and of a closed rollout refused', () => {
    given(...running)
      .when(request())
      .then(haltByPat);
    given(...running, haltByPat)
      .when(request())
      .thenNothing();
    given(...haltedByPat)
      .when(request('bo'))
      .thenNothing();
    const closed: RolloutEvent = {
      type: 'RolloutClosed',
      data: { outcome: 'cancelled', counts: inputs({}), by: 'pat', reason: '' },
    };
    given(...haltedByPat, closed)
      .when(request())
      .thenRefused('rollout-closed');
    given().when(request()).thenRefused('unknown-rollout');
  });
  it('is acknowledged in its own epoch, once', () => {
    const command = { type: 'AcknowledgeHalt', data: { epoch: 2, recalledCount: 1 } } as const;
    given(...running, haltByPat)
      .when(command)
      .then(acknowledged);
    given(...haltedByPat)
      .when(command)
      .thenNothing();
    given(...running)
      .when(command)
      .thenNothing();
    given(...running, haltByPat)
      .when({ ...command, data: { epoch: 1, recalledCount: 1 } })
      .thenNothing();
  });
});

describe('a rollback', () => {
  const ask = { type: 'RequestRollback', data: { by: 'pat', reason: 'safe' } } as const;
  const asked: RolloutEvent = { type: 'RollbackRequested', data: { by: 'pat', reason: 'safe' } };
  const deadline = timer('rollback-deadline:r', IN_1_H, 'rollback-deadline');

  const closed = (outcome: 'rolled-back' | 'rollback-failed', reason: string): RolloutEvent => ({
    type: 'RolloutClosed',
    data: {
      ...{ outcome, by: 'plan', reason },
      counts: inputs({ planned: 7, failed: 2, cancelled: 5 }),
    },
  });
  it('follows a halt by a gate when the plan says so, once nothing is in flight', () => {
    given(...haltedByGate)
      .when(assessHalt(allParts({ failed: 1, inFlight: 1 })))
      .thenNothing();
    given(...haltedByGate)
      .when(assessHalt(allParts({ failed: 2 }).slice(1)))
      .thenNothing();
    given(...haltedByGate)
      .when(assessHalt(allParts({ failed: 2 })))
      .then(started('plan'), deadline);
    given(...running, haltByGate('x'))
      .when(assessHalt(allParts({ failed: 2 })))
      .thenNothing();
  });
  it('after a halt by an operator has to be asked for', () => {
    given(...haltedByPat)
      .when(assessHalt(allParts({ failed: 2 })))
      .thenNothing();
    given(...haltedByPat)
      .when(ask)
      .then(asked);
    given(...haltedByPat, asked)
      .when(ask)
      .thenNothing();
    given(...haltedByPat, asked)
      .when(assessHalt(allParts({ failed: 2 })))
      .then(started('pat'), deadline);
    given(...running)
      .when(ask)
      .thenRefused('not-halted');
  });
  it('of nothing is done at once', () =>
    given(...haltedByGate)
      .when(assessHalt(allParts({ failed: 2 }), 0))
      .then(started('plan', 0), closed('rolled-back', 'no endpoint had been changed')));
  it('ends with the last endpoint', () => {
    const past = [...haltedByGate, started('plan', 2), deadline];
    given(...past)
      .when(assessHalt(allParts({ failed: 2, rolledBack: 1, rollingBack: 1 })))
      .thenNothing();
    given(...past)
      .when(assessHalt(allParts({ failed: 2, rolledBack: 2 })))
      .then(closed('rolled-back', '2 of 2 endpoints rolled back'));
    given(...past)
      .when(assessHalt(allParts({ failed: 2, rolledBack: 1, rollbackFailed: 1 })))
      .then(
        ticketOf('Rollback failed: 1 of 2 endpoints rolled back'),
        closed('rollback-failed', '1 of 2 endpoints rolled back'),
      );
  });
  it('has a deadline', () => {
    const passed: RolloutEvent = { type: 'RollbackDeadlinePassed', data: { epoch: 2 } };
    given(...haltedByGate, started('plan'))
      .when(elapse('rollback-deadline:r'))
      .then(passed);
    given(...haltedByGate)
      .when(elapse('rollback-deadline:r'))
      .thenNothing();
  });
});

describe('a cancellation', () => {
  const cancel = (parts: PartCount[]): RolloutCommand => ({
    type: 'CancelRollout',
    data: { by: 'pat', reason: 'enough', parts },
  });
  const closed: RolloutEvent = {
    type: 'RolloutClosed',
    data: {
      ...{ outcome: 'cancelled', by: 'pat', reason: 'enough' },
      counts: inputs({ planned: 7, verified: 2, cancelled: 5 }),
    },
  };
  it('closes what is halted and at rest, once', () => {
    const parts = allParts({ verified: 2 });
    given(...haltedByPat)
      .when(cancel(parts))
      .then(closed);
    given(...haltedByPat, closed)
      .when(cancel(parts))
      .thenNothing();
  });
  it.each([
    ['while it runs', running, allParts({ verified: 2 }), 'not-halted'],
    ['while something is in flight', haltedByPat, allParts({ inFlight: 2 }), 'still-in-flight'],
    ['on part of the counters', haltedByPat, allParts({}).slice(1), 'still-in-flight'],
    ['of a rollback', haltedByGate, allParts({ failed: 2 }), 'rollback-requested'],
  ] as const)('is refused %s', (_, past, parts, code) =>
    given(...past)
      .when(cancel([...parts]))
      .thenRefused(code),
  );
});
