import { describe, expect, it } from '@jest/globals';
import { createKeyedQueue, TooBusy } from './keyed-queue.js';

/** Work that ends when it is told to. */
function held() {
  let release = () => {};
  const done = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { work: () => done, release };
}

describe('a queue by key', () => {
  it('does the work of a key one after another in the order of asking, also after a failure', async () => {
    const queue = createKeyedQueue();
    const log: string[] = [];
    const asked = ['a', 'b', 'c'].map((name) =>
      queue('key', async () => {
        log.push(`${name} begins`);
        await new Promise(setImmediate);
        log.push(`${name} ends`);
        if (name === 'a') throw new Error('a fails');
        return name;
      }),
    );
    const results = await Promise.allSettled(asked);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    const expected = ['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]);
    expect(log).toEqual(expected);
  });

  it('does not let one key wait for another', async () => {
    const queue = createKeyedQueue();
    const first = held();
    const waiting = queue('key', first.work);
    expect(await queue('other', () => Promise.resolve(7))).toBe(7);
    first.release();
    await waiting;
  });

  it('refuses whoever comes when too many are waiting, and only them', async () => {
    const queue = createKeyedQueue({ waitingMax: 1 });
    const first = held();
    const running = queue('key', first.work);
    const second = queue('key', () => Promise.resolve('second'));
    const refused = queue('key', () => Promise.resolve('third'));
    await expect(refused).rejects.toThrow(TooBusy);
    await expect(refused).rejects.toThrow('1 are waiting');
    first.release();
    await running;
    expect(await second).toBe('second');
    expect(await queue('key', () => Promise.resolve('fourth'))).toBe('fourth');
  });

  it('takes whoever waited too long out of the line, and lets the others have their turn', async () => {
    const queue = createKeyedQueue({ waitMs: 20 });
    const first = held();
    const running = queue('key', first.work);
    let hasRun = false;
    const late = queue('key', () => {
      hasRun = true;
      return Promise.resolve();
    });
    await expect(late).rejects.toThrow('no turn within 20 ms');
    const next = queue('key', () => Promise.resolve('next'));
    first.release();
    await running;
    expect(await next).toBe('next');
    expect(hasRun).toBe(false);
  });
});
