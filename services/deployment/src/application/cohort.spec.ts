import { describe, expect, it } from '@jest/globals';
import { planOf, ring } from '../domain/examples.suite.js';
import { draftCohort, frozenFrom } from './cohort.js';
import { attributesOf } from './world.suite.js';

const plan = planOf([
  ring('pilot', { selector: { attributes: { 'labels.ring': 'pilot' } } }),
  ring('canary', { selector: { groupIds: ['g'] } }),
  ring('broad', { selector: { attributes: { department: 'Finance', 'labels.ring': 'broad' } } }),
]);
const endpoint = (endpointId: string, label: string) => {
  return { endpointId, attributes: attributesOf(label) };
};
const groups = new Map([['g', { endpointIds: ['e2', 'e3'] }]]);

describe('a cohort', () => {
  const needing = [endpoint('e3', 'broad'), endpoint('e1', 'pilot'), endpoint('e2', 'pilot')];
  const more = [endpoint('e4', 'broad'), endpoint('e5', 'nowhere'), endpoint('e6', 'pilot')];
  const scope = { endpointIds: ['e1', 'e2', 'e3', 'e4', 'e5'] };
  const draft = draftCohort({ plan, scope }, [...needing, ...more], groups);

  it('takes each endpoint in scope into the first ring that matches, and counts the others', () =>
    expect(draft).toEqual({ rings: [[['e1', 'e2']], [['e3']], [['e4']]], excludedCount: 1 }));
  it('leaves out and counts who is not such as it was approved for', () => {
    const { department, environment, businessImpact, exposure } = attributesOf('pilot');
    const reach = {
      ...{ departments: [department], environments: [environment] },
      ...{ businessImpacts: [businessImpact], exposures: [exposure] },
    };
    const changes = [
      { department: 'Operations' },
      { environment: 'development' },
      { businessImpact: 'high' },
      { exposure: 'public' },
    ] as const;
    const others = changes.map((change, n) => ({
      endpointId: `other${n}`,
      attributes: { ...attributesOf('pilot'), ...change },
    }));
    const all = [...needing, ...others];
    const rings = [[['e1', 'e2']], [['e3']], []];
    const approved = draftCohort({ plan, scope: {}, reach }, all, groups);
    expect(approved).toEqual({ rings, excludedCount: others.length });
    const unlimited = draftCohort({ plan, scope: {} }, all, groups);
    expect(unlimited.rings[0]).toEqual([['e1', 'e2', 'other0', 'other1', 'other2', 'other3']]);
  });
  it('does not depend on the order in which endpoints are found', () => {
    const reversed = [...needing, ...more].reverse();
    expect(draftCohort({ plan, scope }, reversed, groups)).toEqual(draft);
  });
  it('is frozen with its counts and a digest of its members', () => {
    const frozen = frozenFrom(plan, draft);
    expect(frozen).toMatchObject({
      rings: [
        { ring: 'pilot', endpointCount: 2, parts: [2] },
        { ring: 'canary', endpointCount: 1, parts: [1] },
        { ring: 'broad', endpointCount: 1, parts: [1] },
      ],
      excludedCount: 1,
    });
    const other = { ...draft, rings: [[['e1', 'e9']], [['e3']], [['e4']]] };
    expect(frozenFrom(plan, other).cohortDigest).not.toBe(frozen.cohortDigest);
  });
  it('has parts of at most 500 endpoints while the cap allows', () => {
    const many = Array.from({ length: 1_201 }, (_, n) => endpoint(`e${n}`, 'pilot'));
    const sizes = (value: number) => {
      const wide = planOf([ring('pilot', { cap: { unit: 'endpoints', value } })]);
      const { rings } = draftCohort({ plan: wide, scope: {} }, many, new Map());
      return rings[0]?.map((part) => part.length);
    };
    expect(sizes(100)).toEqual([401, 400, 400]);
    expect(sizes(1)).toEqual([1_201]);
  });
});
