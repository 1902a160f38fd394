import { describe, expect, it } from '@jest/globals';
import { failureColumns } from './index.js';

describe('failureColumns', () => {
  it('names the error and its code', () => {
    const error = Object.assign(new TypeError('no such thing'), { code: 'message-too-large' });
    expect(failureColumns(error)).toEqual({
      code: 'message-too-large',
      cause: 'TypeError: no such thing',
    });
  });

  it.each([
    [new Error('x')],
    ['x'],
    [null],
    [Object.assign(new Error('x'), { code: 'not a code' })],
  ])('calls unexpected what has no code: %s', (error) => {
    expect(failureColumns(error)).toMatchObject({ code: 'unexpected' });
  });

  it('fits into a column whatever was thrown', () => {
    const { cause } = failureColumns(new Error(`a\u0000b${'x'.repeat(3_000)}`));
    expect(cause).toMatch(/^Error: a\\u0000bx+$/);
    expect(cause).toHaveLength(2_000);
  });
});
