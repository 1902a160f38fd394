import { once } from 'node:events';
import featuresGrpc from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import grpc from '@grpc/grpc-js';
import {
  type AllStreamSubscription,
  eventTypeFilter,
  type Position,
  streamNameFilter,
} from '@eventstore/db-client';
import { describe, expect, it } from '@jest/globals';
import { eventually } from '../eventually.js';
import {
  collect,
  counted,
  failureOf,
  messagesOf,
  reader,
  setting,
  several,
} from './client.suite.js';

const numbers = (events: readonly { readonly data: unknown }[]) =>
  events.map(({ data }) => (data as { n: number }).n);

const NOWHERE = 2n ** 64n - 1n;

describe('a subscription to $all', () => {
  const on = setting();

  it('is sent what is there and then what comes', async () => {
    await on.client.appendToStream('counter-1', several(2));
    const subscription = on.client.subscribeToAll();
    const next = reader(subscription);
    expect(numbers(await next(2))).toEqual([0, 1]);
    for (let n = 2; n < 22; n += 1) {
      const arrives = next(1);
      await on.client.appendToStream('counter-1', [counted(n)]);
      expect(numbers(await arrives)).toEqual([n]);
    }
    await subscription.unsubscribe();
    await eventually(async () => {
      expect((await on.double.control.state()).open.subscription).toBe(0);
    });
  });

  it('begins behind the position given, or at the end', async () => {
    await on.client.appendToStream('counter-1', several(4));
    const events = await collect(on.client.readAll());
    const fromPosition = events[1]?.position ?? { commit: 0n, prepare: 0n };
    const behind = on.client.subscribeToAll({ fromPosition });
    expect(numbers(await reader(behind)(2))).toEqual([2, 3]);
    const live = on.client.subscribeToAll({ fromPosition: 'end' });
    await once(live, 'confirmation');
    await on.client.appendToStream('counter-1', [counted(4)]);
    expect(numbers(await reader(live)(1))).toEqual([4]);
  });

  it('is refused at a position that no event has', async () => {
    await on.client.appendToStream('counter-1', several(2));
    const [event] = await collect(on.client.readAll());
    const commit = (event?.position?.commit ?? 0n) + 1n;
    const subscription = on.client.subscribeToAll({ fromPosition: { commit, prepare: commit } });
    expect(await failureOf(reader(subscription)(1))).toMatchObject({ code: 3 });
  });

  it.each([
    ['stream prefixes', streamNameFilter({ prefixes: ['a-', 'c-'] }), [0, 2]],
    ['a stream pattern', streamNameFilter({ regex: '^[bc]-' }), [1, 2]],
    ['event types', eventTypeFilter({ prefixes: ['Count'] }), [0, 1, 2]],
  ])('is filtered by %s', async (_how, filter, expected) => {
    const subscription = on.client.subscribeToAll({ filter });
    for (const [n, category] of ['a', 'b', 'c'].entries())
      await on.client.appendToStream(`${category}-1`, [counted(n)]);
    expect(numbers(await reader(subscription)(expected.length))).toEqual(expected);
  });

  it('says again and again that it has caught up', async () => {
    const subscription = on.client.subscribeToAll();
    subscription.resume();
    await once(subscription, 'caughtUp');
    await on.double.control.tellSubscribers({ message: 'fell-behind' });
    await on.double.control.tellSubscribers({ message: 'caught-up' });
    await Promise.all([once(subscription, 'fellBehind'), once(subscription, 'caughtUp')]);
  });

  it('is sent a checkpoint after so many events looked at, and when it catches up', async () => {
    const own = (await on.double.control.state()).events;
    await on.client.appendToStream('other-1', several(300 - own));
    const checkpoints: bigint[] = [];
    const filter = streamNameFilter({
      prefixes: ['counter-'],
      maxSearchWindow: 10,
      checkpointInterval: 5,
      checkpointReached: (_subscription: AllStreamSubscription, { commit }: Position) => {
        checkpoints.push(commit);
      },
    });
    const subscription = on.client.subscribeToAll({ filter });
    subscription.resume();
    await once(subscription, 'caughtUp');
    // One per 50 of 300 events; the end adds none, for nothing came after the last.
    expect(checkpoints).toHaveLength(6);
    expect(checkpoints).toEqual([...checkpoints].sort((a, b) => Number(a - b)));
    await on.client.appendToStream('other-1', several(100));
    await eventually(() => expect(checkpoints).toHaveLength(8));
    const last = (await collect(on.client.readAll())).at(-1);
    expect(checkpoints.at(-1)).toBe(last?.position?.commit);
  });

  it('that does not read is not sent the whole log', async () => {
    for (let round = 0; round < 10; round += 1)
      await on.client.appendToStream('counter-1', several(500, round * 500));
    const subscription = on.client.subscribeToAll();
    await once(subscription, 'confirmation');
    expect(await messagesOf(on.double)).toBeLessThan(2_500);
    expect(await reader(subscription)(5_000)).toHaveLength(5_000);
  });

  it('that reads slowly is not sent more than a transport holds, and misses nothing', async () => {
    const subscription = on.client.subscribeToAll({ fromPosition: 'end' });
    await once(subscription, 'confirmation');
    for (let round = 0; round < 10; round += 1)
      await on.client.appendToStream('counter-1', several(500, round * 500));
    expect((await on.double.control.state()).counts.messages).toBeLessThan(2_500);
    let caughtUp = 0;
    subscription.on('caughtUp', () => (caughtUp += 1));
    const seen = numbers(await reader(subscription)(5_000));
    expect(seen).toEqual(Array.from({ length: 5_000 }, (_, n) => n));
    // It fell back to reading the log, and was not told so.
    await eventually(() => expect(caughtUp).toBeGreaterThan(0));
  });
});

describe('a subscription to one stream', () => {
  const on = setting();

  it('begins behind the revision given and waits for a stream that is not there', async () => {
    const waiting = on.client.subscribeToStream('counter-1');
    await on.client.appendToStream('counter-2', [counted(9)]);
    await on.client.appendToStream('counter-1', several(3));
    const seen: bigint[] = [];
    for await (const { event } of waiting) {
      seen.push(event?.revision ?? -1n);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([0n, 1n, 2n]);
    for await (const { event } of on.client.subscribeToStream('counter-1', { fromRevision: 1n })) {
      expect(event?.revision).toBe(2n);
      break;
    }
  });

  it('ends with the tombstone', async () => {
    await on.client.appendToStream('counter-1', several(1));
    const reading = collect(on.client.subscribeToStream('counter-1'));
    await on.client.tombstoneStream('counter-1');
    expect(await failureOf(reading)).toMatchObject({ type: 'stream-deleted' });
    expect(await failureOf(collect(on.client.subscribeToStream('counter-1')))).toMatchObject({
      type: 'stream-deleted',
    });
  });
});

describe('a subscription to an old server', () => {
  const on = setting({ version: '22.10.5' });

  it('is dropped when it reads too slowly, and never told that it has caught up', async () => {
    const subscription = on.client.subscribeToAll({ fromPosition: 'end' });
    let caughtUp = false;
    subscription.on('caughtUp', () => (caughtUp = true));
    await once(subscription, 'confirmation');
    const failed = new Promise((resolve) => subscription.once('error', resolve));
    for (let round = 0; round < 10; round += 1)
      await on.client.appendToStream('counter-1', several(500, round * 500));
    subscription.resume();
    expect(await failed).toMatchObject({
      type: 'timeout',
      message: expect.stringContaining('too slow') as unknown,
    });
    expect(caughtUp).toBe(false);
  });

  it('that keeps up is not dropped', async () => {
    const subscription = on.client.subscribeToAll({ fromPosition: 'end' });
    await once(subscription, 'confirmation');
    const next = reader(subscription);
    for (let n = 0; n < 100; n += 1) {
      const arrives = next(1);
      await on.client.appendToStream('counter-1', [counted(n)]);
      await arrives;
    }
  });
});

describe.each([
  ['24.10.4', NOWHERE],
  ['24.10.13', 0n],
  ['26.1.0', 0n],
])('a filtered subscription to server %s that finds nothing', (version, checkpoint) => {
  const on = setting({ version });

  it(`is sent the checkpoint ${checkpoint}`, async () => {
    const reached = new Promise<bigint>((resolve) => {
      const filter = streamNameFilter({
        prefixes: ['nothing-'],
        checkpointReached: (_subscription, { commit }: Position) => resolve(commit),
      });
      on.client.subscribeToAll({ filter }).resume();
    });
    expect(await reached).toBe(checkpoint);
  });

  it('learns the version', async () => {
    const asking = new featuresGrpc.ServerFeaturesClient(
      `${on.double.host}:${on.double.port}`,
      grpc.credentials.createInsecure(),
    );
    const answer = await new Promise((resolve, reject) => {
      asking.getSupportedMethods(new shared.Empty(), (error, features) => {
        if (error === null) resolve(features.getEventStoreServerVersion());
        else reject(error);
      });
    });
    asking.close();
    expect(answer).toBe(version);
  });
});
