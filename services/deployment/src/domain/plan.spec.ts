import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { capOf, partCountOf, sharesOf } from './plan.js';

describe('the cap', () => {
  it.each([
    ['percent', 1, 3, 1],
    ['percent', 34, 3, 2],
    ['percent', 100, 7, 7],
    ['percent', 300, 7, 7],
    ['endpoints', 5, 3, 3],
    ['endpoints', 2, 3, 2],
    ['endpoints', 1, 0, 1],
  ] as const)('of %s %d over %d endpoints is %d', (unit, value, count, cap) => {
    expect(capOf({ unit, value }, count)).toBe(cap);
  });

  it('is split so that every part can finish and none is added', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20_000 }),
        fc.integer({ min: 1, max: 400 }),
        (n, value) => {
          const cap = capOf({ unit: 'endpoints', value }, n);
          const parts = partCountOf(n, cap, 500);
          const shares = sharesOf(cap, parts);
          expect(shares).toHaveLength(parts);
          expect(shares.reduce((sum, share) => sum + share, 0)).toBe(cap);
          expect(Math.min(...shares)).toBeGreaterThanOrEqual(1);
        },
      ),
    );
  });
});
