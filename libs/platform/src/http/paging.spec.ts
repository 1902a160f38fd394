import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Page, paged, pageOf, pageToken, UUID } from '../index.js';

const filter = { status: 'open', tags: ['a'] };

describe('pages', () => {
  it.each([
    [undefined, 100],
    [0, 100],
    [1, 1],
    [500, 500],
    [501, 500],
  ])('page_size %s means %i rows', (size, limit) => {
    const query = size === undefined ? {} : { page_size: size };
    expect(pageOf(query, filter)).toEqual({ limit, after: null });
  });

  it('go on where the last one ended, for the same filter', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 60 }), (after) => {
        const page_token = pageToken(filter, after);
        expect(pageOf({ page_token }, { tags: ['a'], status: 'open' }).after).toBe(after);
      }),
    );
  });

  it('do not go on for another filter', () => {
    const page_token = pageToken(filter, 'x');
    expect(() => pageOf({ page_token }, { ...filter, status: 'closed' })).toThrow(
      'invalid-page-token',
    );
  });

  it('refuse a token that no list returned', () => {
    const mine = pageToken(filter, 'cursor');
    const forged = Buffer.from('0123456789abcdefcursor').toString('base64url');
    const nul = pageToken(filter, 'a\u0000');
    for (const page_token of [
      '',
      'x',
      `${mine}=`,
      ` ${mine}`,
      forged,
      nul,
      pageToken(filter, ''),
    ]) {
      expect(() => pageOf({ page_token }, filter)).toThrow(
        'invalid-page-token: page_token must be',
      );
    }
  });

  it('refuse a cursor that their list never gives out', () => {
    const whole = (after: string) => pageOf({ page_token: pageToken(filter, after) }, filter, UUID);
    const id = '0a4e3f2c-6d0a-4d6f-9a86-0d0a3c9d3b01';
    expect(whole(id).after).toBe(id);
    for (const odd of ['x', `${id}0`, id.toUpperCase()]) {
      expect(() => whole(odd)).toThrow('invalid-page-token: page_token must be');
    }
  });

  it('end where the rows end', () => {
    const page: Page = { limit: 2, after: null };
    const whole = paged(['a', 'b'], page, filter, (row) => row);
    expect(whole).toEqual({ items: ['a', 'b'], nextPageToken: null });
    const part = paged(['a', 'b', 'c'], page, filter, (row) => row);
    expect(part).toEqual({ items: ['a', 'b'], nextPageToken: pageToken(filter, 'b') });
    expect(paged([], page, filter, String).nextPageToken).toBeNull();
  });
});
