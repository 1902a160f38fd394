import { afterEach, describe, expect, it } from '@jest/globals';
import { background, lagClock, readyReport } from './index.js';

describe('a ready report', () => {
  it('is good when every check is', () => {
    const good = { name: 'store', ok: true };
    const bad = { name: 'relay', ok: false, detail: 'behind' };
    expect(readyReport('a', [])).toEqual({ service: 'a', ok: true, checks: [] });
    expect(readyReport('a', [good]).ok).toBe(true);
    expect(readyReport('a', [good, bad])).toEqual({ service: 'a', ok: false, checks: [good, bad] });
  });
});

describe('background work', () => {
  it('ends together, when it is told to', async () => {
    const work = background();
    const ended: string[] = [];
    const task = (name: string) => ({
      done: new Promise<void>((resolve) => {
        work.signal.addEventListener('abort', () => {
          ended.push(name);
          resolve();
        });
      }),
    });
    work.run(task('a'), task('b'));
    work.run(task('c'));
    expect(work.signal.aborted).toBe(false);
    await work.stop();
    expect(ended).toEqual(['a', 'b', 'c']);
  });
});

describe('the lag of a group', () => {
  let at = 0;
  let waiting = 0n;
  afterEach(() => {
    [at, waiting] = [0, 0n];
  });
  const refuse = () => Promise.reject(new Error('Only the lag is asked for.'));
  const bus = {
    ensureTopic: refuse,
    publish: refuse,
    run: refuse,
    rewind: refuse,
    lag: () => Promise.resolve(waiting),
  };

  it('is the time since it had nothing waiting', async () => {
    const lag = lagClock({ bus, now: () => new Date(at) }, 'g', ['t']);
    expect(await lag()).toBe(0);
    [at, waiting] = [1_000, 2n];
    expect(await lag()).toBe(1_000);
    [at, waiting] = [3_000, 0n];
    expect(await lag()).toBe(0);
    [at, waiting] = [3_000, 1n];
    expect(await lag()).toBe(1);
    at = 3_500;
    expect(await lag()).toBe(500);
  });
});
