import { describe, expect, it } from '@jest/globals';
import { RULES } from '../oracle.js';
import { RIGHT } from './actors.js';
import { MUTANTS } from './mutants.js';
import { brokenBy, catchMutants } from './run-mutant.js';

const SEEDS = Array.from({ length: 300 }, (_, index) => index + 1);

describe('mutants of the product in miniature', () => {
  const caught = catchMutants();

  it.each(caught.map((one) => [one.mutant.rule, one.mutant.name, one] as const))(
    '%s sees that %s',
    (rule, _, { seed, rules, mutant }) => {
      expect(seed).not.toBeNull();
      expect(rules).toContain(rule);
      expect(brokenBy(mutant.actors, seed ?? 0)).toEqual(rules);
    },
  );

  it('are there for every rule', () => {
    const rules = new Set(MUTANTS.map(({ rule }) => rule));
    expect([...rules].toSorted()).toEqual(RULES.map(({ name }) => name).toSorted());
  });

  it('are not seen where there is none', () => {
    const broken = SEEDS.flatMap((seed) => brokenBy(RIGHT, seed).map((rule) => [seed, rule]));
    expect(broken).toEqual([]);
  });
});
