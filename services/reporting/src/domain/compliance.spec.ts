import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { complianceOf, type State } from './compliance.js';

const STATES: readonly State[] = [
  'INSTALLED',
  'INSTALLED_OTHER',
  'INSTALLED_PENDING_REBOOT',
  'INSTALLED_REJECTED',
  'MISSING',
  'FAILED',
  'NOT_APPLICABLE',
  'UNKNOWN',
];

describe('complianceOf', () => {
  it('counts installed of known and applicable, and names what it left out', () => {
    const figure = complianceOf([
      { state: 'INSTALLED', count: 3 },
      { state: 'MISSING', count: 1 },
      { state: 'UNKNOWN', count: 2 },
      { state: 'NOT_APPLICABLE', count: 5 },
    ]);
    expect(figure).toEqual({
      numerator: 3,
      denominator: 4,
      population: 11,
      excluded: [
        { reason: 'no recent inventory', count: 2 },
        { reason: 'the patch does not apply', count: 5 },
      ],
      byState: { INSTALLED: 3, MISSING: 1, UNKNOWN: 2, NOT_APPLICABLE: 5 },
    });
  });

  it('does not count an installation that still waits for its reboot', () => {
    const figure = complianceOf([{ state: 'INSTALLED_PENDING_REBOOT', count: 1 }]);
    expect(figure).toMatchObject({ numerator: 0, denominator: 1 });
  });

  it('says nothing of an empty population instead of full marks', () => {
    expect(complianceOf([])).toMatchObject({ numerator: 0, denominator: 0, population: 0 });
  });

  it('accounts for every pair exactly once', () => {
    const rows = fc.array(fc.record({ state: fc.constantFrom(...STATES), count: fc.nat(1000) }));
    fc.assert(
      fc.property(rows, (given) => {
        const { numerator, denominator, population, excluded } = complianceOf(given);
        const left = excluded.reduce((sum, { count }) => sum + count, 0);
        expect(denominator + left).toBe(population);
        expect(numerator).toBeLessThanOrEqual(denominator);
        expect(population).toBe(given.reduce((sum, { count }) => sum + count, 0));
      }),
    );
  });
});
