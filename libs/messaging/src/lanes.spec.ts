import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Delivery } from './bus.js';
import { handleInLanes } from './lanes.js';
import { gate, messageOf } from './test-messages.suite.js';

const PARTITIONS = 3;

/** As a log has them: each key in one partition, with offsets that rise. */
const logOf = (keys: readonly number[]): Delivery[] => {
  const next = new Map<number, bigint>();
  return keys
    .map((key): Delivery => {
      const partition = key % PARTITIONS;
      const offset = next.get(partition) ?? 0n;
      next.set(partition, offset + 1n);
      return { topic: 'topic', partition, offset, message: messageOf(`key-${String(key)}`) };
    })
    .sort((a, b) => a.partition - b.partition);
};
const nameOf = ({ partition, offset }: Delivery) => `${String(partition)}/${String(offset)}`;
const keyOf = ({ message }: Delivery) => message.partitionkey;

describe('lanes', () => {
  /** What is in hand ends in an order of its own, and some of it fails. */
  const run = async (
    deliveries: readonly Delivery[],
    atOnce: number,
    scheduler: fc.Scheduler,
    fails: (delivery: Delivery) => boolean,
  ) => {
    const begun: Delivery[] = [];
    const handled = new Set<string>();
    const settled = new Map<number, bigint>();
    const violations: string[] = [];
    const inHand = new Set<Delivery>();
    const failed = new Set<number>();
    const done = handleInLanes({
      ...{ deliveries, atOnce, isOver: () => false },
      handle: async (delivery) => {
        if ([...inHand].some((one) => keyOf(one) === keyOf(delivery)))
          violations.push('two of a key');
        if (failed.has(delivery.partition)) violations.push('begun behind a failure');
        begun.push(delivery);
        inHand.add(delivery);
        if (inHand.size > atOnce) violations.push('too many');
        await scheduler.schedule(Promise.resolve(), nameOf(delivery));
        inHand.delete(delivery);
        if (fails(delivery)) failed.add(delivery.partition);
        else handled.add(nameOf(delivery));
        return !fails(delivery);
      },
      settled: ({ partition, offset }) => {
        if (offset <= (settled.get(partition) ?? -1n)) violations.push('settled backwards');
        settled.set(partition, offset);
        for (let before = 0n; before <= offset; before += 1n) {
          if (!handled.has(`${String(partition)}/${String(before)}`)) violations.push('a gap');
        }
        return Promise.resolve();
      },
    });
    await scheduler.waitFor(done);
    return { begun, handled, settled, violations };
  };
  const keys = fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 30 });
  const atOnce = fc.integer({ min: 1, max: 5 });

  it('handle everything, each key in its order and alone, and settle prefixes', async () => {
    await fc.assert(
      fc.asyncProperty(keys, atOnce, fc.scheduler(), async (log, most, scheduler) => {
        const deliveries = logOf(log);
        const { begun, settled, violations } = await run(deliveries, most, scheduler, () => false);
        expect(violations).toEqual([]);
        expect(begun.map(nameOf).sort()).toEqual(deliveries.map(nameOf).sort());
        for (const key of new Set(deliveries.map(keyOf))) {
          const inOrder = (all: readonly Delivery[]) =>
            all.filter((one) => keyOf(one) === key).map(nameOf);
          expect(inOrder(begun)).toEqual(inOrder(deliveries));
        }
        for (const { partition, offset } of deliveries) {
          expect(settled.get(partition)).toBeGreaterThanOrEqual(offset);
        }
      }),
    );
  });

  it('settle nothing from a failure on, and begin nothing behind it', async () => {
    await fc.assert(
      fc.asyncProperty(keys, atOnce, fc.scheduler(), fc.nat(), async (log, most, scheduler, at) => {
        const deliveries = logOf(log);
        const bad = deliveries[at % Math.max(1, deliveries.length)];
        const { settled, handled, violations } = await run(
          deliveries,
          most,
          scheduler,
          (delivery) => delivery === bad,
        );
        expect(violations).toEqual([]);
        if (bad === undefined) return;
        expect(settled.get(bad.partition) ?? -1n).toBeLessThan(bad.offset);
        const others = deliveries.filter(({ partition }) => partition !== bad.partition);
        expect(others.filter((one) => !handled.has(nameOf(one)))).toEqual([]);
      }),
    );
  });

  it('begin nothing more when it is over or something is thrown, and wait for what is in hand', async () => {
    const deliveries = logOf([0, 1, 2]);
    const begun: string[] = [];
    const slow = gate();
    let hasEnded = false;
    const lanes = {
      ...{ deliveries, atOnce: 2 },
      handle: (delivery: Delivery) => {
        begun.push(nameOf(delivery));
        return (begun.length === 1 ? slow.opened : Promise.resolve()).then(() => true);
      },
    };
    const failing = handleInLanes({
      ...{ ...lanes, isOver: () => false },
      settled: () => Promise.reject(new Error('lost')),
    });
    const ended = failing.catch((error: unknown) => {
      hasEnded = true;
      return error;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect([begun.length, hasEnded]).toEqual([2, false]);
    slow.open();
    expect(await ended).toEqual(new Error('lost'));
    expect(begun).toHaveLength(2);

    begun.length = 0;
    const settled = () => Promise.resolve();
    await handleInLanes({ ...lanes, isOver: () => begun.length > 0, settled });
    expect(begun).toHaveLength(1);
  });
});
