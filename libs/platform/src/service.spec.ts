import { afterEach, describe, expect, it } from '@jest/globals';
import { TOPICS } from '@patchtrail/contracts';
import { background, ensureTopics, lagClock, readyReport } from './index.js';

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
    work.run({ one: task('a'), two: task('b') });
    work.run({ one: task('c') });
    expect(work.signal.aborted).toBe(false);
    await work.stop();
    expect(ended).toEqual(['a', 'b', 'c']);
  });

  it('is waited for until a deadline, and named when it goes on', async () => {
    const work = background(10);
    const endless = { done: new Promise<void>(() => undefined) };
    work.run({ relay: endless, timers: { done: Promise.resolve() }, driver: endless });
    await expect(work.stop()).rejects.toThrow('Still running 10 ms after the stop: relay, driver.');
  });

  it('passes on what a task failed with', async () => {
    const work = background();
    const done = Promise.reject(new Error('lost'));
    work.run({ relay: { done } });
    await expect(work.stop()).rejects.toThrow('lost');
  });
});

describe('the topics of all integration events', () => {
  it('are created with the same number of partitions', async () => {
    const created = new Map<string, number>();
    await ensureTopics({
      ensureTopic: (topic, partitions) => {
        created.set(topic, partitions);
        return Promise.resolve();
      },
    });
    expect([...created.keys()]).toEqual(TOPICS);
    expect(new Set(created.values())).toEqual(new Set([12]));
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
