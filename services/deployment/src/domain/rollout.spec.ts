import { describe, expect, it } from '@jest/globals';
import { fold } from '@patchtrail/event-sourcing';
import { AT } from './examples.suite.js';
import type { RolloutCommand, RolloutEvent } from './rollout-messages.js';
import { rollout } from './rollout.js';
import {
  given,
  creation,
  created,
  cohort,
  frozen,
  IN_1_H,
  timer,
  opened,
  running,
  part,
  assess,
  two,
  inputs,
  baking,
  gating,
  passedPilot,
  passedEmpty,
  broadOpen,
  failedGate,
  haltByGate,
  ticketOf,
  haltByPat,
  request,
  elapse,
} from './rollout-examples.suite.js';

describe('authorization', () => {
  const authorize = (change: object = {}): RolloutCommand => ({
    type: 'AuthorizeRings',
    data: { ...creation, at: AT, ...change },
  });
  it('creates, once', () => {
    given().when(authorize()).then(created);
    given(created).when(authorize()).thenNothing();
  });
  it('of another change, or of a ring that there is not, is refused', () => {
    given(created)
      .when(authorize({ changeDigest: 'other' }))
      .thenRefused('other-change');
    given()
      .when(authorize({ uptoRing: 3 }))
      .thenRefused('unknown-ring');
  });
  it('holds the next ring until it is widened', () => {
    const narrow: RolloutEvent = { type: 'RolloutCreated', data: { ...creation, uptoRing: 0 } };
    const past = [narrow, frozen, ...opened, baking, gating];
    given(...past)
      .when(assess([part(0, two), part(1, two)]))
      .then(passedPilot());
    const widened: RolloutEvent = { type: 'AuthorizationWidened', data: { uptoRing: 1 } };
    given(...past, passedPilot())
      .when(authorize({ uptoRing: 1 }))
      .then(widened, passedEmpty);
    given(...past)
      .when(authorize({ uptoRing: 1 }))
      .then(widened);
    given(...past, passedPilot(), widened)
      .when(authorize({ uptoRing: 0 }))
      .thenNothing();
  });
});

describe('the cohort', () => {
  const freeze = (data: object = cohort): RolloutCommand => ({
    type: 'FreezeCohort',
    data: { ...cohort, ...data, at: AT },
  });
  it('is frozen once, and opens the first ring', () => {
    given(created)
      .when(freeze())
      .then(frozen, ...opened);
    given(...running)
      .when(freeze())
      .thenNothing();
  });
  it('without an endpoint is complete', () => {
    const empty = cohort.rings.map(({ ring: name }) => ({
      ring: name,
      endpointCount: 0,
      parts: [],
    }));
    const closed: RolloutEvent = {
      type: 'RolloutClosed',
      data: {
        ...{ outcome: 'completed', counts: inputs({}), by: 'plan' },
        reason: 'no endpoint in scope needs the change',
      },
    };
    given(created)
      .when(freeze({ rings: empty }))
      .then({ type: 'CohortFrozen', data: { ...cohort, rings: empty } }, closed);
  });
  it('is frozen but not opened after a halt', () => {
    const early: RolloutEvent = {
      type: 'HaltRequested',
      data: { ring: null, origin: 'operator', cause: 'odd', by: 'pat', epoch: 2 },
    };
    given(created).when(request()).then(early);
    given(created, early).when(freeze()).then(frozen);
  });
});

describe('a ring', () => {
  it('bakes once every endpoint has ended, and waits until then', () => {
    given(...running)
      .when(assess([part(0, two), part(1, { planned: 2, verified: 1, inFlight: 1 })]))
      .thenNothing();
    given(...running)
      .when(assess([part(0, two), part(1, two)]))
      .then(baking, timer('bake:r:0', '2026-11-21T09:01:00.000Z', 'bake'));
    given(...running, baking)
      .when(assess([part(0, two), part(1, two)]))
      .thenNothing();
  });
  it('is judged after its bake, on fresh counters', () => {
    given(...running, baking)
      .when(elapse('bake:r:0'))
      .then(gating);
    given(...running, baking)
      .when(elapse('bake:r:0', 2))
      .thenNothing();
    given(...running)
      .when(elapse('bake:r:0'))
      .thenNothing();
    given(...running, baking, gating)
      .when(elapse('bake:r:0'))
      .thenNothing();
  });
  it('passes, and opens the next one that has endpoints', () =>
    given(...running, baking, gating)
      .when(assess([part(0, two), part(1, two)]))
      .then(
        ...[passedPilot(), passedEmpty, broadOpen],
        timer('wave-deadline:r:2', IN_1_H, 'wave-deadline'),
      ));
  it('passes with as many failures as the gate allows', () => {
    const some = { planned: 2, verified: 1, failed: 1 };
    given(...running, baking, gating)
      .when(assess([part(0, some), part(1, two)]))
      .then(
        passedPilot(
          { planned: 4, verified: 3, failed: 1 },
          '3 of 4 compliant >= successPercentMin 50',
        ),
        passedEmpty,
        broadOpen,
        timer('wave-deadline:r:2', IN_1_H, 'wave-deadline'),
      );
  });
  it.each([
    ['open', running],
    ['baking', [...running, baking]],
    ['at its gate', [...running, baking, gating]],
  ] as const)('%s halts at the failure that is one too many', (_, past) => {
    const bad = [
      part(0, { planned: 2, failed: 1, inFlight: 1 }),
      part(1, { planned: 2, timedOut: 1, waiting: 1 }),
    ];
    const reason = '1 failed + 1 timed out > failuresMax 1';
    const counters = { planned: 4, failed: 1, timedOut: 1, inFlight: 1 };
    given(...past)
      .when(assess(bad))
      .then(
        failedGate(counters, reason),
        haltByGate(reason),
        ticketOf(`Ring pilot halted: ${reason}`),
      );
  });
  it('that is the last one halts as well', () => {
    const last = [...running, baking, gating, passedPilot(), passedEmpty, broadOpen];
    const bad = assess([part(0, { planned: 3, failed: 1, waiting: 2 }, 2)], 2);
    const events = rollout.decide(bad, fold(rollout, last));
    expect(events.map(({ type }) => type)).toEqual([
      ...['GateEvaluated', 'HaltRequested', 'FailureTicketRaised'],
    ]);
  });
  it('with too few successes does not pass', () => {
    const few = { planned: 2, cancelled: 2 };
    const reason = '1 of 4 compliant < successPercentMin 50';
    const counters = { planned: 4, verified: 1, failed: 1, cancelled: 2 };
    const other = part(1, { planned: 2, verified: 1, failed: 1 });
    given(...running)
      .when(assess([part(0, few), other]))
      .then(
        failedGate(counters, reason),
        haltByGate(reason),
        ticketOf(`Ring pilot halted: ${reason}`),
      );
  });
  it('is never judged on part of its counters, nor after its verdict, nor once halted', () => {
    given(...running, baking, gating)
      .when(assess([part(0, two)]))
      .thenNothing();
    given(...running, baking, gating, passedPilot())
      .when(assess([part(0, two), part(1, two)]))
      .thenNothing();
    const bad = [part(0, { planned: 2, failed: 2 }), part(1, two)];
    given(...running, haltByPat)
      .when(assess(bad))
      .thenNothing();
  });
  it('has a deadline while it is open', () => {
    const passed: RolloutEvent = { type: 'WaveDeadlinePassed', data: { ring: 0 } };
    given(...running)
      .when(elapse('wave-deadline:r:0'))
      .then(passed);
    given(...running, baking)
      .when(elapse('wave-deadline:r:0'))
      .thenNothing();
    given(...running, haltByPat)
      .when(elapse('wave-deadline:r:0'))
      .thenNothing();
    given(...running)
      .when(elapse('wave-deadline:r:2'))
      .thenNothing();
  });
  it('that is the last one closes the rollout, with the sum of all', () => {
    const last = [...running, baking, gating, passedPilot({ planned: 4, verified: 3, failed: 1 })];
    const broadGating: RolloutEvent = { type: 'BakeElapsed', data: { ring: 2 } };
    const past = [...last, passedEmpty, broadOpen, broadGating];
    const events = rollout.decide(
      assess([part(0, { planned: 3, alreadyCompliant: 3 }, 2)], 2),
      fold(rollout, past),
    );
    expect(events.at(-1)).toEqual({
      type: 'RolloutClosed',
      data: {
        outcome: 'completed-with-exceptions',
        counts: inputs({ planned: 7, verified: 3, failed: 1, alreadyCompliant: 3 }),
        ...{ by: 'plan', reason: 'every ring passed' },
      },
    });
  });
});
