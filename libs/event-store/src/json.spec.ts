import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { InvalidEvent, type Json } from './event-store.js';
import { jsonBytesAtMost, toJson } from './json.js';

/** JSON values with any text in them, control characters and halves of pairs included. */
const json: fc.Arbitrary<unknown> = fc.jsonValue({ stringUnit: 'binary', maxDepth: 5 });

describe('a copy as JSON', () => {
  it('is what JSON makes of the value, and frozen all through', () => {
    fc.assert(
      fc.property(json, (value) => {
        const copy = toJson(value, 'data');
        expect(JSON.stringify(copy)).toBe(JSON.stringify(value));
        expectFrozen(copy);
      }),
    );
  });

  it('does not change with the value', () => {
    const value = { list: [1] };
    const copy = toJson(value, 'data');
    value.list.push(2);
    expect(copy).toEqual({ list: [1] });
  });

  it('keeps a property of any name, and leaves out what is undefined', () => {
    const odd: unknown = JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}');
    const copy = toJson(odd, 'data');
    expect(JSON.stringify(copy)).toBe('{"__proto__":{"a":1},"constructor":2}');
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
    expect(toJson({ a: undefined, b: -0 }, 'data')).toEqual({ b: 0 });
  });

  it.each([
    ['data.a[1]', { a: [1, Number.NaN] }],
    ['data.a', { a: new Date(0) }],
    ['data.a', { a: () => 1 }],
    ['data[0]', [1n]],
  ])('names %s that it cannot carry', (field, value) => {
    expect(() => toJson(value, 'data')).toThrow(InvalidEvent);
    expect(() => toJson(value, 'data')).toThrow(`${field}: `);
  });
});

it('bounds the bytes of a value as JSON from above, and is not far from them for plain text', () => {
  fc.assert(
    fc.property(json, (value) => {
      const bytes = Buffer.byteLength(JSON.stringify(value));
      expect(jsonBytesAtMost(toJson(value, 'data'))).toBeGreaterThanOrEqual(bytes);
    }),
  );
  expect(jsonBytesAtMost({ text: 'x'.repeat(1_000) })).toBeLessThan(6_100);
});

function expectFrozen(copy: Json): void {
  if (typeof copy !== 'object' || copy === null) return;
  expect(Object.isFrozen(copy)).toBe(true);
  for (const item of Object.values(copy)) expectFrozen(item);
}
