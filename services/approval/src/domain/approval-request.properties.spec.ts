import assert from 'node:assert/strict';
import { describe, it } from '@jest/globals';
import { DomainError, fold } from '@patchtrail/event-sourcing';
import fc from 'fast-check';
import {
  type ApprovalRequest,
  approvalRequest,
  type ApprovalRequestCommand,
  type ApprovalRequestEvent,
} from './approval-request.js';
import { changeDigest, command, decision, expiresAt, opening } from './example-request.suite.js';

const PEOPLE = ['pat', 'ana', 'bo', 'cy', 'di', 'eve'];
const OTHER_DIGEST = `sha256:${'00'.repeat(32)}`;
const ROLES = ['approver', 'auditor'];

const stages = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('security', 'cab', 'owner'),
    role: fc.constantFrom(...ROLES),
    quorum: fc.integer({ min: 1, max: 3 }),
  }),
  { maxLength: 3, selector: ({ name }) => name },
);
const instants = fc.constantFrom(opening.at, opening.at, opening.at, expiresAt);
const mostly = <T>(usual: T, other: T) => fc.constantFrom(usual, usual, usual, usual, other);

const decisions = fc
  .record({
    by: fc.constantFrom(...PEOPLE),
    roles: fc.subarray(ROLES, { minLength: 1 }),
    departments: fc.constantFrom(['*'], ['Finance', 'Operations'], ['Finance']),
    verdict: mostly<'approve' | 'reject'>('approve', 'reject'),
    changeDigest: mostly(changeDigest, OTHER_DIGEST),
    at: mostly(opening.at, expiresAt),
  })
  .map((data) => command('RecordDecision', decision(data.by, data)));
const commands: fc.Arbitrary<ApprovalRequestCommand> = fc.oneof(
  { weight: 12, arbitrary: decisions },
  {
    weight: 1,
    arbitrary: stages.map((chain) => command('OpenRequest', { ...opening, stages: chain })),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({ by: fc.constantFrom(...PEOPLE), at: instants })
      .map((data) => command('WithdrawRequest', { ...data, reason: 'superseded' })),
  },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: 1, max: 2 })
      .map((generation) =>
        command('ExpireRequest', { timerId: opening.timerId, generation, at: expiresAt }),
      ),
  },
);
const runs = fc
  .tuple(stages, fc.array(commands, { maxLength: 25 }))
  .map(([chain, rest]): readonly ApprovalRequestCommand[] => [
    command('OpenRequest', { ...opening, stages: chain }),
    ...rest,
  ]);

type Step = {
  before: ApprovalRequest;
  command: ApprovalRequestCommand;
  events: readonly ApprovalRequestEvent[];
  refused: string | null;
};

/** Every command in turn, as `handle` would: a refusal changes nothing. */
function play(sequence: readonly ApprovalRequestCommand[]): readonly Step[] {
  let before = approvalRequest.initial;
  return sequence.map((next) => {
    const state = before;
    try {
      const events = approvalRequest.decide(next, state);
      before = fold(approvalRequest, events, state);
      return { before: state, command: next, events, refused: null };
    } catch (error) {
      assert.ok(error instanceof DomainError, String(error));
      return { before: state, command: next, events: [], refused: error.code };
    }
  });
}

const eventsOf = (sequence: readonly ApprovalRequestCommand[]) =>
  play(sequence).flatMap(({ events }) => events);
const isOf =
  <T extends ApprovalRequestEvent['type']>(type: T) =>
  (event: ApprovalRequestEvent): event is Extract<ApprovalRequestEvent, { type: T }> =>
    event.type === type;

const holds = (check: (sequence: readonly ApprovalRequestCommand[]) => void) => {
  fc.assert(fc.property(runs, check), { numRuns: 3_000 });
};

describe('whatever is commanded, in whatever order', () => {
  it('grants by people only with the quorum of every stage, each of its role and for this change', () => {
    holds((sequence) => {
      const events = eventsOf(sequence);
      const [grant] = events.filter(isOf('ApprovalGranted'));
      const [requested] = events.filter(isOf('ApprovalRequested'));
      assert.ok(requested);
      if (grant === undefined) return;
      assert.equal(grant.data.grantedBy, requested.data.stages.length === 0 ? 'policy' : 'people');
      const before = events.slice(0, events.indexOf(grant)).filter(isOf('DecisionRecorded'));
      for (const { name, role, quorum } of requested.data.stages) {
        const approvals = before.filter(
          ({ data }) =>
            data.stage === name &&
            data.verdict === 'approve' &&
            data.changeDigest === requested.data.changeDigest &&
            data.roles.includes(role) &&
            data.by !== requested.data.requestedBy,
        );
        const people = new Set(approvals.map(({ data }) => data.by));
        assert.ok(people.size >= quorum, `${name}: ${people.size} of ${quorum}`);
      }
    });
  });

  it('keeps duties apart: nobody decides on their own request, nor twice, nor out of scope', () => {
    holds((sequence) => {
      const recorded = eventsOf(sequence).filter(isOf('DecisionRecorded'));
      const people = recorded.map(({ data }) => data.by);
      assert.ok(!people.includes(opening.requestedBy));
      assert.equal(new Set(people).size, people.length);
      for (const { data } of recorded) {
        const covers = (name: string) => data.departments.includes(name);
        assert.ok(covers('*') || opening.departments.every(covers));
      }
    });
  });

  it('ends at most once, and authorizes rings only together with the grant', () => {
    holds((sequence) => {
      const types = eventsOf(sequence).map(({ type }) => type);
      const ends = types.filter((type) =>
        ['ApprovalGranted', 'ApprovalRejected', 'RequestWithdrawn', 'RequestExpired'].includes(
          type,
        ),
      );
      assert.ok(ends.length <= 1, ends.join());
      assert.equal(
        types.filter((type) => type === 'RingsAuthorized').length,
        types.filter((type) => type === 'ApprovalGranted').length,
      );
    });
  });

  it('refuses votes after the end', () => {
    holds((sequence) => {
      for (const { before, command: next, refused } of play(sequence)) {
        if (before.status === 'open' || next.type !== 'RecordDecision') continue;
        assert.notEqual(refused, null);
      }
    });
  });

  it('reaches each end and each refusal in these runs, so that the above means something', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(runs, (sequence) => {
        for (const { events, refused } of play(sequence)) {
          if (refused !== null) seen.add(refused);
          for (const { type } of events) seen.add(type);
        }
      }),
      { numRuns: 3_000, seed: 20_261_121 },
    );
    const wanted = [
      ...['ApprovalGranted', 'ApprovalRejected', 'RequestWithdrawn', 'RequestExpired'],
      ...['StagePassed', 'self-approval', 'already-voted', 'digest-mismatch', 'not-eligible'],
      ...['not-in-scope', 'already-decided', 'request-expired', 'request-withdrawn'],
      ...['not-eligible', 'already-requested'],
    ];
    assert.deepEqual(
      wanted.filter((name) => !seen.has(name)),
      [],
    );
  });
});
