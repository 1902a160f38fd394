import type { PolicyContent, PolicyRule } from './approval-policy.js';
import type { Stage } from './stage.js';

export const BUILT_IN_POLICY_ID = 'built-in';

const approvers = (quorum: number): readonly Stage[] => [
  { name: 'approvers', role: 'approver', quorum },
];

/** In force while no policy has been activated. */
export const BUILT_IN_POLICY: PolicyContent = {
  name: 'Built-in policy',
  requestTtlMs: 14 * 86_400_000,
  rules: [
    {
      name: 'automatic',
      when: "request.category in ['feature', 'optional']",
      stages: [],
      reason: 'Feature and optional patches are approved by policy.',
    },
    {
      name: 'two-approvers',
      when:
        "scope.exposures.exists(e, e == 'public')" +
        " || scope.impacts.exists(i, i in ['high', 'mission-critical'])" +
        " || request.category == 'critical-security'",
      stages: approvers(2),
      reason: 'Public exposure, high impact or critical security needs two approvers.',
    },
    {
      name: 'one-approver',
      when: 'true',
      stages: approvers(1),
      reason: 'Every other change needs one approver.',
    },
  ],
};

/** What holds when a policy gives no answer: its strictest rule, and never fewer than two people. */
export function strictRule({ rules }: PolicyContent, cause: string): Omit<PolicyRule, 'when'> {
  const strictest = rules
    .map(({ stages }) => stages)
    .reduce((most, stages) => (people(stages) > people(most) ? stages : most), approvers(2));
  return {
    name: 'fail-closed',
    stages: strictest,
    reason: `The policy gave no answer, so its strictest stages apply: ${cause}`,
  };
}

const people = (stages: readonly Stage[]) => stages.reduce((sum, { quorum }) => sum + quorum, 0);
