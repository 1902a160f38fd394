import { describe, it } from '@jest/globals';
import { specFor } from '@patchtrail/event-sourcing';
import { approvalRequest, type ApprovalRequestEvent } from './approval-request.js';
import {
  approvers,
  at,
  change,
  command,
  decision,
  expiresAt,
  granted,
  opening,
  passed,
  recorded,
  rejected,
  requested,
  scheduled,
} from './example-request.suite.js';

const given = specFor(approvalRequest);
const record = (...args: Parameters<typeof decision>) =>
  command('RecordDecision', decision(...args));
const open = (changes: Partial<typeof opening> = {}) =>
  command('OpenRequest', { ...opening, ...changes });
const withdraw = (by: string, when = at) =>
  command('WithdrawRequest', { by, reason: 'superseded', at: when });
const expire = (generation = 1, timerId = opening.timerId) =>
  command('ExpireRequest', { timerId, generation, at: expiresAt });

const withdrawn: ApprovalRequestEvent = {
  type: 'RequestWithdrawn',
  data: { by: 'pat', reason: 'superseded', at },
};
const expired: ApprovalRequestEvent = { type: 'RequestExpired', data: { at: expiresAt } };
const oneVote = [...requested(), recorded('ana')] as const;
const twoVotes = [...oneVote, recorded('bo'), passed(), ...granted()] as const;

describe('opening a request', () => {
  it('asks people and schedules its end', () => {
    given()
      .when(open())
      .then(...requested());
  });
  it('is granted at once where the policy asks nobody, with its reason', () => {
    const policy = { ...opening.policy, rule: 'automatic', reason: 'Optional patches.' };
    const automatic = { ...opening, policy, stages: [] };
    given()
      .when(open(automatic))
      .then({ type: 'ApprovalRequested', data: automatic }, ...granted('policy', policy.reason));
  });
  it('happens once', () => {
    given(...requested())
      .when(open())
      .thenRefused('already-requested');
    given(...twoVotes)
      .when(open())
      .thenRefused('already-requested');
  });
  it('needs something to patch', () => {
    given()
      .when(open({ endpointCount: 0 }))
      .thenRefused('nothing-to-patch');
  });
  it('needs patches, each once', () => {
    const twice = [...change.patches, ...change.patches];
    for (const patches of [[], twice]) {
      given()
        .when(open({ change: { ...change, patches } }))
        .thenRefused('invalid-patches');
    }
  });
  it('needs a plan with rings', () => {
    given()
      .when(open({ change: { ...change, plan: { ...change.plan, rings: [] } } }))
      .thenRefused('invalid-plan');
  });
  it('needs time to decide', () => {
    given()
      .when(open({ expiresAt: at }))
      .thenRefused('invalid-expiry');
  });
  it.each([0, 1.5, -1, 21, Number.NaN])('refuses a quorum of %d', (quorum) => {
    given()
      .when(open({ stages: [approvers(quorum)] }))
      .thenRefused('invalid-stages');
  });
  it('refuses stages that cannot be told apart, nameless ones and too many', () => {
    const many = [1, 2, 3, 4, 5, 6].map((n) => approvers(1, `stage-${n}`));
    const nobody = { ...approvers(1), role: '' };
    for (const stages of [[approvers(1), approvers(2)], [approvers(1, '')], [nobody], many]) {
      given().when(open({ stages })).thenRefused('invalid-stages');
    }
  });
});

describe('a decision', () => {
  it('waits below the quorum', () => {
    given(...requested())
      .when(record('ana'))
      .then(recorded('ana'));
  });
  it('grants with the approval that reaches the quorum', () => {
    given(...oneVote)
      .when(record('bo'))
      .then(recorded('bo'), passed(), ...granted());
  });
  it('counts a person once', () => {
    given(...oneVote)
      .when(record('ana'))
      .thenRefused('already-voted');
  });
  it('refuses the requester, whatever the verdict', () => {
    given(...requested())
      .when(record('pat'))
      .thenRefused('self-approval');
    given(...requested())
      .when(record('pat', { verdict: 'reject' }))
      .thenRefused('self-approval');
  });
  it('is bound to the change', () => {
    given(...requested())
      .when(record('ana', { changeDigest: `sha256:${'00'.repeat(32)}` }))
      .thenRefused('digest-mismatch');
  });
  it("needs the stage's role", () => {
    given(...requested())
      .when(record('ana', { roles: ['auditor', 'platform-engineer'] }))
      .thenRefused('not-eligible');
  });
  it('needs every department in scope', () => {
    given(...requested())
      .when(record('ana', { departments: ['Finance'] }))
      .thenRefused('not-in-scope');
    const both = ['Operations', 'Finance', 'Legal'];
    given(...requested())
      .when(record('ana', { departments: both }))
      .then(recorded('ana', 'approvers', { departments: both }));
  });
  it('ends the request when it is a rejection', () => {
    given(...oneVote)
      .when(record('bo', { verdict: 'reject' }))
      .then(recorded('bo', 'approvers', { verdict: 'reject' }), rejected('bo'));
  });
  it('needs a request', () => {
    given().when(record('ana')).thenRefused('not-requested');
  });
  it('comes too late after the end, or when the time is up', () => {
    const rejection = recorded('bo', 'approvers', { verdict: 'reject' });
    const ends = [
      [twoVotes, 'already-decided'],
      [[...requested(), rejection, rejected('bo')], 'already-decided'],
      [[...requested(), withdrawn], 'request-withdrawn'],
      [[...requested(), expired], 'request-expired'],
    ] as const;
    for (const [past, code] of ends) {
      given(...past)
        .when(record('cy'))
        .thenRefused(code);
    }
    given(...requested())
      .when(record('cy', { at: expiresAt }))
      .thenRefused('request-expired');
  });
});

describe('stages', () => {
  const stages = [approvers(1, 'security'), { ...approvers(2, 'cab'), role: 'auditor' }];
  const past = [...requested({ stages }), recorded('ana', 'security'), passed('security')] as const;
  const roles = ['auditor'];

  it('pass in their order', () => {
    given(...requested({ stages }))
      .when(record('ana'))
      .then(recorded('ana', 'security'), passed('security'));
    given(...requested({ stages }))
      .when(record('ana', { roles }))
      .thenRefused('not-eligible');
  });
  it('need other people each', () => {
    given(...past)
      .when(record('ana', { roles }))
      .thenRefused('already-voted');
  });
  it('do not share votes', () => {
    given(...past)
      .when(record('bo', { roles }))
      .then(recorded('bo', 'cab', { roles }));
  });
  it('grant with the last', () => {
    given(...past, recorded('bo', 'cab', { roles }))
      .when(record('cy', { roles }))
      .then(recorded('cy', 'cab', { roles }), passed('cab'), ...granted());
  });
});

describe('withdrawing', () => {
  it("is the requester's", () => {
    given(...oneVote)
      .when(withdraw('pat'))
      .then(withdrawn);
    given(...oneVote)
      .when(withdraw('ana'))
      .thenRefused('not-eligible');
  });
  it('comes too late after the end', () => {
    given().when(withdraw('pat')).thenRefused('not-requested');
    given(...twoVotes)
      .when(withdraw('pat'))
      .thenRefused('already-decided');
    given(...requested())
      .when(withdraw('pat', expiresAt))
      .thenRefused('request-expired');
  });
});

describe('expiring', () => {
  it('ends an open request', () => {
    given(...oneVote)
      .when(expire())
      .then(expired);
  });
  it('does nothing for another timer or generation, or after the end', () => {
    given(...oneVote)
      .when(expire(2))
      .thenNothing();
    given(...oneVote)
      .when(expire(1, opening.changeDigest))
      .thenNothing();
    given(...twoVotes)
      .when(expire())
      .thenNothing();
    given(...oneVote, expired)
      .when(expire())
      .thenNothing();
    given().when(expire()).thenNothing();
    // A request whose timer was never scheduled, as in a stream cut short.
    const [first] = requested();
    given(first).when(expire()).thenNothing();
    given(first, scheduled).when(expire()).then(expired);
  });
});
