import assert from 'node:assert/strict';
import { describe, expect, it } from '@jest/globals';
import { DomainError, specFor } from '@patchtrail/event-sourcing';
import { at, change } from './example-request.suite.js';
import type { Ring } from './change.js';
import { planTemplate, type PlanTemplateCommand } from './plan-template.js';

const given = specFor(planTemplate);
const { name, rings, leaseMs, retry, rollback } = change.plan;
const definition = { name, rings, leaseMs, retry, rollback, by: 'pat', at };
type Definition = PlanTemplateCommand['data'];
const define = (changes: Partial<Definition> = {}): PlanTemplateCommand => ({
  type: 'DefinePlanTemplate',
  data: { ...definition, ...changes },
});
const revise = (changes: Partial<Definition> = {}): PlanTemplateCommand => ({
  type: 'RevisePlanTemplate',
  data: { ...definition, ...changes },
});
const defined = { type: 'PlanTemplateDefined', data: definition } as const;

describe('a plan template', () => {
  it('is defined once', () => {
    given().when(define()).then(defined);
    given(defined).when(define()).thenRefused('already-defined');
  });
  it('is revised once it exists', () => {
    const revised = { ...definition, name: 'Bold' };
    given(defined)
      .when(revise({ name: 'Bold' }))
      .then({ type: 'PlanTemplateRevised', data: revised });
    given().when(revise()).thenRefused('not-defined');
  });
  it('counts its revisions from 0', () => {
    const once = planTemplate.evolve(planTemplate.initial, defined);
    const twice = planTemplate.evolve(once, { type: 'PlanTemplateRevised', data: definition });
    expect([once, twice]).toMatchObject([{ revision: 0 }, { revision: 1 }]);
  });

  const [staging, pilot, broad] = rings;
  assert.ok(staging !== undefined && pilot !== undefined && broad !== undefined);
  const withRing = (changes: Partial<Ring>): Partial<Definition> => ({
    rings: [{ ...staging, ...changes }, pilot, broad],
  });
  const gate = staging.gate;
  it.each<[string, Partial<Definition>]>([
    ['name: must not be empty', { name: ' ' }],
    ['rings: must be 1 to 15 rings', { rings: [] }],
    ['rings: must be 1 to 15 rings', { rings: Array.from({ length: 16 }, () => broad) }],
    ['leaseMs: must be a whole number from 1000', { leaseMs: 999 }],
    ['leaseMs: must be a whole number', { leaseMs: 1_000.5 }],
    ['retry.attemptsMax: must be', { retry: { attemptsMax: 0, backoffMs: 0 } }],
    ['retry.backoffMs: must be', { retry: { attemptsMax: 1, backoffMs: -1 } }],
    ['rings[0].name: must be 1 to 40', withRing({ name: 'Staging ring' })],
    ['rings[1].name: must be unique', withRing({ name: 'pilot' })],
    ['rings[0].cap.value: must be', withRing({ cap: { unit: 'endpoints', value: 0 } })],
    ['rings[0].cap.value: must be', withRing({ cap: { unit: 'percent', value: 101 } })],
    ['rings[0].gate.successPercentMin', withRing({ gate: { ...gate, successPercentMin: 101 } })],
    ['rings[0].gate.failuresMax: must be', withRing({ gate: { ...gate, failuresMax: -1 } })],
    ['rings[0].bakeMs: must be', withRing({ bakeMs: -1 })],
    ['rings[0].deadlineMs: must be', withRing({ deadlineMs: 0 })],
    ['rings[0].selector: must not match every endpoint', withRing({ selector: {} })],
    ['rings[0].selector: must not match', withRing({ selector: { attributes: {} } })],
  ])('is refused for %s', (detail, changes) => {
    for (const command of [define(changes), revise(changes)]) {
      const state = planTemplate.evolve(planTemplate.initial, defined);
      assert.throws(
        () => planTemplate.decide(command, state),
        (error) => {
          assert.ok(error instanceof DomainError);
          assert.equal(error.code, 'invalid-plan');
          assert.ok(error.detail?.startsWith(detail), error.detail);
          return true;
        },
      );
    }
  });

  it('may leave endpoints to no ring', () => {
    const selective = [staging, { ...broad, selector: { attributes: { codename: 'trixie' } } }];
    given()
      .when(define({ rings: selective }))
      .then({ type: 'PlanTemplateDefined', data: { ...definition, rings: selective } });
  });
});
