import { describe, expect, it } from '@jest/globals';
import { Type } from '@sinclair/typebox';
import {
  decode,
  Flag,
  InstantField,
  Json,
  ListOf,
  Nested,
  OneOf,
  Optional,
  OrNull,
  Problem,
  Shaped,
  Text,
  TextMap,
  Uuid,
  Whole,
} from '../index.js';

const Scope = Type.Object(
  { any: Type.Array(Type.Object({ attribute: Type.String(), n: Type.Integer() })) },
  { additionalProperties: false },
);

class Inner {
  @Whole({ min: 1, max: 9 }) n!: number;
}

class Everything {
  @Text({ max: 3 }) @Optional() text?: string;
  @Text({ min: 0, pattern: /^[a-z]*$/ }) @Optional() lower?: string;
  @Whole({ min: -1, max: 5 }) @Optional() whole?: number;
  @Flag() @Optional() flag?: boolean;
  @OneOf(['red', 'blue']) @Optional() colour?: string;
  @Uuid() @Optional() uuid?: string;
  @InstantField() @Optional() at?: string;
  @ListOf('text', { min: 1, max: 2, text: { max: 3 } }) @Optional() texts?: string[];
  @ListOf('uuid', { max: 2 }) @Optional() uuids?: string[];
  @ListOf(['a', 'b'], { max: 2 }) @Optional() letters?: string[];
  @ListOf(() => Inner, { max: 2 }) @Optional() inners?: Inner[];
  @Nested(() => Inner) @Optional() inner?: Inner;
  @TextMap({ max: 2 }) @Optional() labels?: Record<string, string>;
  @Json() @Optional() json?: unknown;
  @Shaped(Scope) @Optional() scope?: unknown;
  @Optional() @Text() below?: string;
  @Text() @OrNull() @Optional() nullable?: string | null;
  // What the compiler makes of every field without a value.
  @Text() @Optional() unset: string | undefined = undefined;
}

const uuid = '0b5a2a3e-0000-4000-8000-000000000001';
const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)]);

async function refusals(value: object): Promise<unknown> {
  const outcome: unknown = await decode(Everything, value).catch((error: unknown) => error);
  if (!(outcome instanceof Problem)) return outcome;
  return outcome.errors.map(({ field, rule }) => `${field}: ${rule}`);
}

describe('fields', () => {
  it.each<[object]>([
    [{}],
    [{ text: 'abc', lower: '', whole: -1, flag: false, colour: 'red', uuid }],
    [{ at: '2026-11-21T09:00:00.000Z', texts: ['a', 'abc'], uuids: [], letters: ['b'] }],
    [{ inners: [{ n: 1 }, { n: 9 }], inner: { n: 5 }, labels: { 'a/b.c': '' } }],
    [{ json: { any: ['thing', null, 1.5, { deep: true }] } }],
    [{ json: deep(63), nullable: null }],
    [{ json: false, scope: { any: [{ attribute: 'x', n: 1 }] } }],
  ])('take %j as it is', async (value) => {
    expect(JSON.parse(JSON.stringify(await decode(Everything, value)))).toEqual(value);
  });

  it('take an instant with any offset and hand it on in UTC', async () => {
    const { at } = await decode(Everything, { at: '2026-11-21T10:00:00.5+01:00' });
    expect(at).toBe('2026-11-21T09:00:00.500Z');
  });

  it('hold nothing that was not sent', async () => {
    const { inner, ...rest } = await decode(Everything, { inner: { n: 1 }, nullable: null });
    expect(Object.keys(rest)).toEqual(['nullable']);
    expect(Object.keys(inner ?? {})).toEqual(['n']);
  });

  const text3 = 'must be text of 1 to 3 characters';
  const list2 = 'must be a list of 0 to 2 items';
  const storable = 'must be without NUL characters and halves of surrogate pairs';
  const json =
    'must be JSON of at most 64 levels without NUL characters and halves of surrogate pairs';
  it.each<[object, string]>([
    [{ text: '' }, `text: ${text3}`],
    [{ text: 'abcd' }, `text: ${text3}`],
    [{ text: 1 }, `text: ${text3}`],
    [{ text: null }, `text: ${text3}`],
    [{ text: 'a\u0000' }, `text: ${storable}`],
    [{ text: '\ud800' }, `text: ${storable}`],
    [{ text: ['a'] }, `text: ${text3}`],
    [{ below: null }, 'below: must be text of 1 to 200 characters'],
    [{ lower: 'A' }, 'lower: must be text of 0 to 200 characters matching ^[a-z]*$'],
    [{ whole: -2 }, 'whole: must be a whole number from -1 to 5'],
    [{ whole: 6 }, 'whole: must be a whole number from -1 to 5'],
    [{ whole: 1.5 }, 'whole: must be a whole number from -1 to 5'],
    [{ whole: '1' }, 'whole: must be a whole number from -1 to 5'],
    [{ flag: 'true' }, 'flag: must be true or false'],
    [{ colour: 'green' }, 'colour: must be one of red, blue'],
    [{ uuid: uuid.toUpperCase() }, 'uuid: must be a UUID in lower case'],
    [{ at: '2026-13-01T00:00:00Z' }, 'at: must be an RFC 3339 instant'],
    [{ at: 7 }, 'at: must be an RFC 3339 instant'],
    [{ texts: [] }, 'texts: must be a list of 1 to 2 items'],
    [{ texts: 'a' }, 'texts: must be a list of 1 to 2 items'],
    [{ texts: ['a', 'abcd'] }, `texts[1]: ${text3}`],
    [{ texts: ['\u0000'] }, `texts[0]: ${storable}`],
    [{ uuids: ['x'] }, 'uuids[0]: must be a UUID in lower case'],
    [{ uuids: [uuid, uuid, uuid] }, `uuids: ${list2}`],
    [{ letters: ['c'] }, 'letters[0]: must be one of a, b'],
    [{ inners: [{ n: 1 }, { n: 10 }] }, 'inners[1].n: must be a whole number from 1 to 9'],
    [{ inners: { n: 1 } }, `inners: ${list2}`],
    [{ inners: [7] }, 'inners: must be an object'],
    [{ inners: [[{ n: 1 }]] }, 'inners: must be an object'],
    [{ inner: [] }, 'inner: must be an object'],
    [{ inner: null }, 'inner: must be an object'],
    [{ inner: { n: 1, m: 2 } }, 'inner.m: is not a known field'],
    [{ labels: { a: 'x', b: 'x', c: 'x' } }, 'labels: must map at most 2 names'],
    [{ labels: { 'a b': 'x' } }, 'labels: must map at most 2 names'],
    [{ labels: { a: 1 } }, 'labels: must map at most 2 names'],
    [{ labels: ['a'] }, 'labels: must map at most 2 names'],
    [{ labels: { a: '\u0000' } }, `labels: ${storable}`],
    [{ json: { a: '\u0000' } }, `json: ${json}`],
    [{ json: { 'a\u0000': 1 } }, `json: ${json}`],
    [{ json: deep(65) }, 'json[0][0][0][0][0][0][0]: is nested too deep'],
    [{ scope: { any: [{ attribute: 'x', n: 1.5 }] } }, 'scope.any[0].n: '],
    [{ scope: { any: [{ attribute: '\u0000', n: 1 }] } }, `scope: ${storable}`],
    [{ scope: [] }, 'scope: Expected object'],
    [{ constructor: { prototype: {} } }, 'constructor: is not a known field'],
    [{ json: [{ toString: 1 }] }, 'json[0].toString: is not a known field'],
    [{ unknown: 1 }, 'unknown: is not a known field'],
  ])('refuse %j', async (value, expected) => {
    const found = await refusals(value);
    expect(found).toEqual(expect.arrayContaining([expect.stringContaining(expected)]));
  });

  it('report at most fifty errors', async () => {
    const many = Object.fromEntries(Array.from({ length: 80 }, (_, n) => [`x${String(n)}`, n]));
    expect(await refusals(many)).toHaveLength(50);
  });
});
