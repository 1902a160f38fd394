import { type Decider, DomainError, type Message } from '@patchtrail/event-sourcing';
import { type Stage, stageFault } from './stage.js';

export type PolicyRule = Readonly<{
  name: string;
  /** A condition in CEL over the facts of a request. */
  when: string;
  /** None: the policy grants at once. */
  stages: readonly Stage[];
  reason: string;
}>;
/** The first rule that matches decides; the last one matches always. */
export type PolicyContent = Readonly<{
  name: string;
  /** How long a request waits for people. */
  requestTtlMs: number;
  rules: readonly PolicyRule[];
}>;

type Proposal = PolicyContent & Readonly<{ by: string; at: string }>;
type Activation = Readonly<{ by: string; at: string }>;

export type ApprovalPolicyCommand =
  Message<'ProposePolicy', Proposal> | Message<'ActivatePolicy', Activation>;
export type ApprovalPolicyEvent =
  Message<'PolicyProposed', Proposal> | Message<'PolicyActivated', Activation>;
export type ApprovalPolicy =
  | Readonly<{ status: 'absent' }>
  | Readonly<{ status: 'proposed'; proposal: Proposal }>
  | Readonly<{ status: 'activated'; proposal: Proposal; activation: Activation }>;

export const RULES_MAX = 50;
export const TTL_MS_MIN = 60_000;
export const TTL_MS_MAX = 90 * 86_400_000;

function decide(
  { type, data }: ApprovalPolicyCommand,
  state: ApprovalPolicy,
): readonly ApprovalPolicyEvent[] {
  switch (type) {
    case 'ProposePolicy': {
      if (state.status !== 'absent') throw new DomainError('already-proposed');
      const fault = policyFault(data);
      if (fault !== null) throw new DomainError('invalid-policy', fault);
      return [{ type: 'PolicyProposed', data }];
    }
    case 'ActivatePolicy':
      if (state.status === 'absent') throw new DomainError('not-proposed');
      if (state.status === 'activated') throw new DomainError('already-activated');
      if (data.by === state.proposal.by) {
        throw new DomainError('self-approval', 'by: who proposed a policy may not activate it');
      }
      return [{ type: 'PolicyActivated', data }];
  }
}

function evolve(state: ApprovalPolicy, { type, data }: ApprovalPolicyEvent): ApprovalPolicy {
  if (type === 'PolicyProposed') return { status: 'proposed', proposal: data };
  if (state.status === 'absent') throw new Error(`Corrupt stream: it opens with ${type}.`);
  return { status: 'activated', proposal: state.proposal, activation: data };
}

/** The first fault of a policy as `field: rule`, or `null`; conditions are compiled elsewhere. */
export function policyFault({ name, requestTtlMs, rules }: PolicyContent): string | null {
  if (name.trim() === '') return 'name: must not be empty';
  const isTtl =
    Number.isInteger(requestTtlMs) && requestTtlMs >= TTL_MS_MIN && requestTtlMs <= TTL_MS_MAX;
  if (!isTtl) {
    return `requestTtlMs: must be a whole number from ${String(TTL_MS_MIN)} to ${String(TTL_MS_MAX)}`;
  }
  if (rules.length < 1 || rules.length > RULES_MAX) {
    return `rules: must be 1 to ${String(RULES_MAX)} rules`;
  }
  for (const [index, rule] of rules.entries()) {
    const fault = ruleFault(rules, rule, index);
    if (fault !== null) return fault;
  }
  return null;
}

function ruleFault(rules: readonly PolicyRule[], rule: PolicyRule, index: number): string | null {
  const at = `rules[${String(index)}]`;
  if (rule.name.trim() === '') return `${at}.name: must not be empty`;
  if (rules.findIndex(({ name }) => name === rule.name) !== index) {
    return `${at}.name: must be unique`;
  }
  if (rule.reason.trim() === '') return `${at}.reason: must not be empty`;
  // Otherwise a request that nobody thought of would have no rule at all.
  if (index === rules.length - 1 && rule.when.trim() !== 'true') {
    return `${at}.when: must be true, for the last rule takes whatever is left`;
  }
  return stageFault(rule.stages, `${at}.stages`);
}

export const approvalPolicy: Decider<ApprovalPolicy, ApprovalPolicyCommand, ApprovalPolicyEvent> = {
  initial: { status: 'absent' },
  decide,
  evolve,
};
