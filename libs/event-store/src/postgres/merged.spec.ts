import { afterEach, describe, expect, it } from '@jest/globals';
import { type Merged, merged, type MergedOptions, type Outcome } from './merged.js';

type Batch = Readonly<{
  works: readonly number[];
  finish: (outcomes?: readonly Outcome<string>[]) => void;
  fail: (error: Error) => void;
}>;

/** Work is a number, which is also its size in bytes. Batches end when the spec lets them. */
function started(change: Partial<MergedOptions<number, string>> = {}) {
  const batches: Batch[] = [];
  const work = merged<number, string>({
    batchMax: { count: 4, bytes: 100 },
    queueMax: { count: 6, bytes: 300 },
    amountOf: (bytes) => ({ count: 1, bytes }),
    lanes: 1,
    // What a spec leaves waiting must not be given up while another one runs.
    waitMsMax: 3_600_000,
    run: (works) =>
      new Promise((resolve, reject) => {
        const ok = works.map((n) => ({ ok: true as const, result: `done ${n}` }));
        batches.push({ works, finish: (outcomes = ok) => resolve(outcomes), fail: reject });
      }),
    ...change,
  });
  return { work, batches };
}

/** Whatever can go on without the outside has done so. */
const settled = () => new Promise(setImmediate);

describe('merged work', () => {
  let open: Merged<number, string>[] = [];
  afterEach(() => {
    open = [];
  });
  const start = (change: Partial<MergedOptions<number, string>> = {}) => {
    const made = started(change);
    open.push(made.work);
    return made;
  };

  it('goes at once when it comes alone, and together when it comes together', async () => {
    const { work, batches } = start();
    const first = work.submit(1);
    await settled();
    expect(batches.map(({ works }) => works)).toEqual([[1]]);
    const rest = [work.submit(2), work.submit(3)];
    await settled();
    expect(batches).toHaveLength(1);
    batches[0]?.finish();
    expect(await first).toBe('done 1');
    await settled();
    expect(batches.map(({ works }) => works)).toEqual([[1], [2, 3]]);
    batches[1]?.finish();
    expect(await Promise.all(rest)).toEqual(['done 2', 'done 3']);
  });

  it('takes along the callers that the last batch has set free', async () => {
    const { work, batches } = start();
    const caller = async (n: number) => {
      await work.submit(n);
      await work.submit(n + 10);
    };
    void caller(1);
    void caller(2);
    await settled();
    void work.submit(3);
    batches[0]?.finish();
    await settled();
    expect(batches.map(({ works }) => works)).toEqual([
      [1, 2],
      [3, 11, 12],
    ]);
  });

  it('bounds a batch by count and by bytes, and takes what is too big by itself', async () => {
    const { work, batches } = start();
    for (const n of [60, 40, 1, 120, 2, 3]) void work.submit(n);
    for (let n = 0; n < 4; n += 1) {
      await settled();
      batches.at(-1)?.finish();
    }
    expect(batches.map(({ works }) => works)).toEqual([[60, 40], [1], [120], [2, 3]]);
    const counted = start();
    for (const n of [1, 2, 3, 4, 5, 6]) void counted.work.submit(n);
    await settled();
    expect(counted.batches[0]?.works).toEqual([1, 2, 3, 4]);
  });

  it('runs as many batches at the same time as it has lanes', async () => {
    const { work, batches } = start({ lanes: 2, batchMax: { count: 1, bytes: 100 } });
    for (const n of [1, 2, 3]) void work.submit(n);
    await settled();
    expect(batches.map(({ works }) => works)).toEqual([[1], [2]]);
    batches[1]?.finish();
    await settled();
    expect(batches.map(({ works }) => works)).toEqual([[1], [2], [3]]);
  });

  it('gives each its own outcome', async () => {
    const { work, batches } = start();
    const results = Promise.allSettled([work.submit(1), work.submit(2), work.submit(3)]);
    await settled();
    batches[0]?.finish([
      { ok: true, result: 'one' },
      { ok: false, error: new Error('two') },
    ]);
    const [first, second, third] = await results;
    expect(first).toEqual({ status: 'fulfilled', value: 'one' });
    expect(second).toMatchObject({ status: 'rejected', reason: { message: 'two' } });
    expect(third).toMatchObject({
      reason: { message: expect.stringContaining('without outcome') },
    });
  });

  it('fails all of a batch that fails, and goes on with the next', async () => {
    const { work, batches } = start();
    const failed = Promise.allSettled([work.submit(1), work.submit(2)]);
    await settled();
    const next = work.submit(3);
    batches[0]?.fail(new Error('no server'));
    expect(await failed).toMatchObject([
      { reason: { message: 'no server' } },
      { reason: { message: 'no server' } },
    ]);
    await settled();
    batches[1]?.finish();
    expect(await next).toBe('done 3');
  });

  it.each([
    ['count', [1, 1, 1, 1, 1, 1]],
    ['bytes', [100, 100, 100]],
  ])('refuses what the queue has no place for: %s', async (_, queued) => {
    const { work, batches } = start();
    void work.submit(1);
    await settled();
    for (const n of queued) void work.submit(n);
    await expect(work.submit(1)).rejects.toMatchObject({
      name: 'EventStoreBusy',
      reason: 'queue-full',
    });
    batches[0]?.finish();
    await settled();
    expect(batches).toHaveLength(2);
    void work.submit(1);
  });

  it('lets nothing wait for too long, and never begins what it has given up', async () => {
    const { work, batches } = start({ waitMsMax: 20 });
    void work.submit(1);
    await settled();
    const late = work.submit(2);
    await expect(late).rejects.toMatchObject({ reason: 'waited-too-long' });
    batches[0]?.finish();
    await settled();
    expect(batches).toHaveLength(1);
  });

  it('closes when everything is settled, and takes no more', async () => {
    const { work, batches } = start();
    const [first, second] = [work.submit(1), (await settled(), work.submit(2))];
    let isClosed = false;
    const closed = work.close().then(() => {
      isClosed = true;
    });
    await expect(work.submit(3)).rejects.toThrow('closed');
    batches[0]?.finish();
    await first;
    await settled();
    expect(isClosed).toBe(false);
    batches[1]?.finish();
    expect(await second).toBe('done 2');
    await closed;
    await work.close();
  });
});
