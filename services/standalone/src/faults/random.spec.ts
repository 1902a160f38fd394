import { describe, expect, it } from '@jest/globals';
import { randomFrom } from './random.js';

const ITEMS = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
const draw = (seed: number) => {
  const random = randomFrom(seed);
  return {
    numbers: Array.from({ length: 50 }, () => random.below(10)),
    picked: Array.from({ length: 20 }, () => random.pick(ITEMS)),
    shuffled: random.shuffled(ITEMS),
    forked: random.fork('other').below(1_000_000),
  };
};

describe('seeded numbers', () => {
  it('are the same for the same seed and others for another one', () => {
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it('are within their bounds, and all of them come', () => {
    const { numbers, picked, shuffled } = draw(1);
    expect([...new Set(numbers)].toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect([...new Set(picked)].toSorted()).toEqual([...ITEMS]);
    expect(shuffled.toSorted()).toEqual([...ITEMS]);
  });

  it('of a fork depend on its name, and not on what was drawn before', () => {
    const [random, other] = [randomFrom(3), randomFrom(3)];
    other.below(10);
    expect(random.fork('x').below(1e9)).toBe(other.fork('x').below(1e9));
    expect(random.fork('x').below(1e9)).not.toBe(random.fork('y').below(1e9));
  });
});
