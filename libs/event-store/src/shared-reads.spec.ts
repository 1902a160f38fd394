import { describe, expect, it } from '@jest/globals';
import { createSharedReads } from './shared-reads.js';

/** A read that tells when it begins and ends when it is told to. */
function reader() {
  const begun: ((value: string) => void)[] = [];
  const fails: (() => void)[] = [];
  const read = () =>
    new Promise<string>((resolve, reject) => {
      begun.push(resolve);
      fails.push(() => {
        reject(new Error('read failed'));
      });
    });
  return { read, begun, fails };
}
const turn = () => new Promise(setImmediate);

describe('shared reads', () => {
  it('is one for those who ask together', async () => {
    const shared = createSharedReads<string>();
    const { read, begun } = reader();
    const asked = [1, 2, 3].map(() => shared('key', read));
    await turn();
    expect(begun).toHaveLength(1);
    begun[0]?.('one');
    expect(await Promise.all(asked)).toEqual(['one', 'one', 'one']);
  });

  it('gives nobody a read that had begun before they asked', async () => {
    const shared = createSharedReads<string>();
    const { read, begun } = reader();
    const early = shared('key', read);
    await turn();
    const late = [shared('key', read), shared('key', read)];
    await turn();
    expect(begun).toHaveLength(1);
    begun[0]?.('old');
    expect(await early).toBe('old');
    await turn();
    expect(begun).toHaveLength(2);
    begun[1]?.('new');
    expect(await Promise.all(late)).toEqual(['new', 'new']);
    void shared('key', read);
    await turn();
    expect(begun).toHaveLength(3);
  });

  it('reads other keys meanwhile', async () => {
    const shared = createSharedReads<string>();
    const { read, begun } = reader();
    void shared('key', read);
    void shared('other', read);
    await turn();
    expect(begun).toHaveLength(2);
  });

  it('reads again for those who came during a read that failed', async () => {
    const shared = createSharedReads<string>();
    const { read, begun, fails } = reader();
    const early = shared('key', read);
    await turn();
    const late = shared('key', read);
    fails[0]?.();
    await expect(early).rejects.toThrow('read failed');
    await turn();
    begun[1]?.('new');
    expect(await late).toBe('new');
  });
});
