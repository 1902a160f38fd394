import { describe, expect, it } from '@jest/globals';
import { eventually } from './eventually.js';

describe('eventually', () => {
  it('returns what the check returns once it stops failing', async () => {
    let tries = 0;
    const check = (): string => {
      tries += 1;
      if (tries < 4) throw new Error(`try ${tries}`);
      return 'there';
    };
    expect(await eventually(check, { everyMs: 1 })).toBe('there');
    expect(tries).toBe(4);
  });

  it('waits for a check that is a promise', async () => {
    let tries = 0;
    const check = (): Promise<number> => {
      tries += 1;
      return tries < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve(tries);
    };
    expect(await eventually(check, { everyMs: 1 })).toBe(3);
  });

  it('throws the last failure at its deadline', async () => {
    let tries = 0;
    const check = (): never => {
      tries += 1;
      throw new Error(`try ${tries}`);
    };
    const failure: unknown = await eventually(check, { deadlineMs: 30, everyMs: 1 }).catch(
      (error: unknown) => error,
    );
    expect(failure).toEqual(new Error(`try ${tries}`));
    expect(tries).toBeGreaterThan(1);
  });

  it('checks once even without any time', async () => {
    expect(await eventually(() => 1, { deadlineMs: 0 })).toBe(1);
  });
});
