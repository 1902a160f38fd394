import { describe, expect, it } from '@jest/globals';
import { sampleOf } from './samples.js';

const TEXT = `# HELP a_b Says "a_b 9".
a_b{c_d="x",e="1"} 2
a_b{c_d="x",e="2"} 3
a_b{c_d="y\\"z",e="1"} 4
a_b_count 7
`;

describe('a sample', () => {
  it.each([
    ['a.b', {}, 9],
    ['a.b', { 'c.d': 'x' }, 5],
    ['a.b', { 'c.d': 'x', e: '2' }, 3],
    ['a.b.count', {}, 7],
    ['a.b', { e: '3' }, null],
    ['a.c', {}, null],
  ])('of %s with %j is %s', (name, attributes, value) => {
    expect(sampleOf(TEXT, name, attributes)).toBe(value);
  });
});
