import {
  compileRule,
  type DataOf,
  type Environment,
  InvalidExpression,
  UndeclaredData,
} from '@patchtrail/cel';
import { BUSINESS_IMPACTS, CATEGORIES, ENVIRONMENTS, EXPOSURES } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import type { PolicyContent, PolicyRule } from '../domain/approval-policy.js';
import { strictRule } from '../domain/default-policy.js';

/** What the conditions of a policy may look at. */
const POLICY_FACTS = {
  request: {
    fields: {
      requestedBy: 'text',
      /** The strictest of the patches on the endpoints they touch. */
      category: { oneOf: CATEGORIES },
      /** An unknown input could still change a category or a due date. */
      provisional: 'flag',
      patchCount: 'whole',
    },
  },
  patches: {
    listOf: {
      fields: {
        vendor: 'text',
        sourcePackage: 'text',
        suite: 'text',
        securityOrigin: 'flag',
        cveCount: 'whole',
      },
    },
    max: 100,
  },
  /** The endpoints that miss a patch. */
  scope: {
    fields: {
      departments: { listOf: 'text', max: 1_000 },
      exposures: { listOf: { oneOf: EXPOSURES }, max: 3 },
      impacts: { listOf: { oneOf: BUSINESS_IMPACTS }, max: 4 },
      environments: { listOf: { oneOf: ENVIRONMENTS }, max: 3 },
      endpointCount: 'whole',
    },
  },
  plan: {
    fields: { name: 'text', ringCount: 'whole', rollback: { oneOf: ['automatic', 'manual'] } },
  },
} as const satisfies Environment;

export type PolicyFacts = DataOf<typeof POLICY_FACTS>;

/** @throws DomainError `invalid-policy` naming the rule, the place in its condition and what is wrong */
export function checkConditions(rules: readonly PolicyRule[]): void {
  for (const [index, { when }] of rules.entries()) {
    try {
      compileRule(when, POLICY_FACTS);
    } catch (error) {
      if (!(error instanceof InvalidExpression)) throw error;
      throw new DomainError('invalid-policy', `rules[${String(index)}].when: ${error.message}`);
    }
  }
}

/** The first rule that matches; the strictest stages where the policy gives no answer. */
export function ruleFor(
  policy: PolicyContent,
  facts: PolicyFacts,
): Pick<PolicyRule, 'name' | 'stages' | 'reason'> {
  try {
    const rule = policy.rules.find(({ when }) => compileRule(when, POLICY_FACTS).matches(facts));
    return rule ?? strictRule(policy, 'no rule matches');
  } catch (error) {
    if (error instanceof InvalidExpression || error instanceof UndeclaredData) {
      return strictRule(policy, error.message);
    }
    throw error;
  }
}
