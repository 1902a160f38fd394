import assert from 'node:assert/strict';
import { describe, expect, it } from '@jest/globals';
import { DomainError, specFor } from '@patchtrail/event-sourcing';
import { approvers, at } from './example-request.suite.js';
import {
  approvalPolicy,
  type ApprovalPolicyCommand,
  policyFault,
  type PolicyRule,
} from './approval-policy.js';
import { BUILT_IN_POLICY, strictRule } from './default-policy.js';

const given = specFor(approvalPolicy);
const last: PolicyRule = {
  name: 'rest',
  when: 'true',
  stages: [approvers(1)],
  reason: 'The rest.',
};
const first: PolicyRule = {
  name: 'urgent',
  when: "request.category == 'critical-security'",
  stages: [approvers(2)],
  reason: 'It is urgent.',
};
const proposal = { name: 'Ours', requestTtlMs: 86_400_000, rules: [first, last], by: 'pat', at };
type Proposal = Extract<ApprovalPolicyCommand, { type: 'ProposePolicy' }>['data'];
const propose = (changes: Partial<Proposal> = {}): ApprovalPolicyCommand => ({
  type: 'ProposePolicy',
  data: { ...proposal, ...changes },
});
const activate = (by: string): ApprovalPolicyCommand => ({
  type: 'ActivatePolicy',
  data: { by, at },
});
const proposed = { type: 'PolicyProposed', data: proposal } as const;
const activated = { type: 'PolicyActivated', data: { by: 'ana', at } } as const;

describe('an approval policy', () => {
  it('is proposed once', () => {
    given().when(propose()).then(proposed);
    given(proposed).when(propose()).thenRefused('already-proposed');
  });
  it('is activated by a second person, once', () => {
    given(proposed).when(activate('ana')).then(activated);
    given(proposed).when(activate('pat')).thenRefused('self-approval');
    given(proposed, activated).when(activate('bo')).thenRefused('already-activated');
    given().when(activate('ana')).thenRefused('not-proposed');
  });

  it.each<[string, Partial<Proposal>]>([
    ['name: must not be empty', { name: '' }],
    ['requestTtlMs: must be', { requestTtlMs: 59_999 }],
    ['requestTtlMs: must be', { requestTtlMs: 86_400_000.5 }],
    ['rules: must be 1 to 50', { rules: [] }],
    ['rules: must be 1 to 50', { rules: Array.from({ length: 51 }, () => last) }],
    ['rules[0].name: must not be empty', { rules: [{ ...first, name: '' }, last] }],
    ['rules[1].name: must be unique', { rules: [first, { ...last, name: 'urgent' }] }],
    ['rules[0].reason: must not be empty', { rules: [{ ...first, reason: ' ' }, last] }],
    ['rules[0].when: must be true', { rules: [first] }],
    ['rules[0].stages[0].quorum', { rules: [{ ...first, stages: [approvers(0)] }, last] }],
  ])('is refused for %s', (detail, changes) => {
    assert.throws(
      () => approvalPolicy.decide(propose(changes), approvalPolicy.initial),
      (error) => {
        assert.ok(error instanceof DomainError);
        assert.equal(error.code, 'invalid-policy');
        assert.ok(error.detail?.startsWith(detail), error.detail);
        return true;
      },
    );
  });
});

describe('the built-in policy', () => {
  it('would be accepted as a proposal', () => {
    expect(policyFault(BUILT_IN_POLICY)).toBeNull();
  });
  it('fails closed: with the most people any rule asks for, and with two at least', () => {
    const stages = (rules: readonly PolicyRule[]) =>
      strictRule({ ...BUILT_IN_POLICY, rules }, 'no data').stages;
    expect(stages(BUILT_IN_POLICY.rules)).toEqual([approvers(2)]);
    expect(stages([{ ...last, stages: [] }])).toEqual([approvers(2)]);
    const three = [approvers(1, 'security'), approvers(2, 'cab')];
    expect(stages([first, { ...last, stages: three }, last])).toEqual(three);
  });
});
