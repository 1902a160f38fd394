import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CloudEvent } from '@patchtrail/contracts';
import { eventually, runScript, silentLog } from '@patchtrail/testing';
import process from 'node:process';
import { type Bus, consume, type Log, outboxLag, parkedCount } from './index.js';
import { retryParkedOutbox } from './parking.js';
import { enqueueOne, openStage, Sent, type Stage } from './messaging.suite.js';

describe('the outbox', () => {
  let stage: Stage;
  let stop: AbortController;
  const running: Promise<void>[] = [];

  beforeEach(async () => {
    stage = await openStage();
    stop = new AbortController();
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(running);
    running.length = 0;
    await stage.close();
  });

  /** Everything on the bus so far and from now on. */
  const follow = () => {
    const got: CloudEvent[] = [];
    const handle = ({ message }: { message: CloudEvent }) =>
      Promise.resolve(void got.push(message));
    running.push(
      stage.bus.run({ group: 'spec.follow', topics: [Sent.topic], signal: stop.signal, handle }),
    );
    return got;
  };
  const relay = (bus: Pick<Bus, 'publish'> = stage.bus) =>
    void running.push(stage.relay(stop.signal, bus));
  const outbox = () => stage.db.rows('SELECT 1 FROM outbox');
  const idsFor = (got: readonly CloudEvent[], key: string) =>
    got.filter(({ partitionkey }) => partitionkey === key).map(({ id }) => id);
  const refusing = (code: 'message' | 'all', times: { left: number }) => ({
    ...stage.bus,
    publish: async (topic: string, messages: readonly CloudEvent[]) => {
      if (code === 'all' && times.left-- > 0) throw new Error('The bus is away.');
      await stage.bus.publish(topic, messages);
    },
  });
  /** Larger than the bus takes, past the schema that would have refused it. */
  const sendOversized = async (key: string) => {
    const [id = ''] = await stage.send(key, 'large');
    await stage.db.run(
      `UPDATE outbox SET message = jsonb_set(message::jsonb, '{data,reason}', to_jsonb(repeat('x', 1048577)))::json
        WHERE message ->> 'id' = $1`,
      [id],
    );
    return id;
  };

  it('publishes what was committed, in order, and forgets it', async () => {
    const ids = await stage.send('a', 'one', 'two', 'three');
    const got = follow();
    relay();
    const later = await stage.send('a', 'four');
    await eventually(() => expect(idsFor(got, 'a')).toEqual([...ids, ...later]));
    await eventually(async () => expect(await outbox()).toEqual([]));
    const [first, second] = got;
    expect(first?.sequence).toMatch(/^\d{20}$/);
    expect(Number(second?.sequence)).toBe(Number(first?.sequence) + 1);
    expect(Math.abs(Date.parse(first?.recordedtime ?? '') - Date.now())).toBeLessThan(60_000);
    expect(first).toMatchObject({
      type: Sent.type,
      partitionkey: 'a',
      authid: 'pat',
      data: { reason: 'one' },
    });
  });

  it('keeps the order over more than one batch', async () => {
    const ids = await stage.send('a', ...Array.from({ length: 450 }, (_, n) => `no ${String(n)}`));
    const got = follow();
    relay();
    await eventually(() => expect(got).toHaveLength(450));
    expect(idsFor(got, 'a')).toEqual(ids);
  });

  it('publishes nothing of a transaction that was rolled back', async () => {
    const undo = new Error('undo');
    const undone = stage.db.transaction(async (tx) => {
      await enqueueOne(tx, 'a', 'never');
      throw undo;
    });
    await expect(undone).rejects.toBe(undo);
    const got = follow();
    relay();
    const [id] = await stage.send('a', 'real');
    await eventually(() => expect(got.map((message) => message.id)).toEqual([id]));
  });

  it('refuses data that does not fit the contract, with the caller’s transaction', async () => {
    const refused = stage.db.transaction((tx) => enqueueOne(tx, 'a', ''));
    await expect(refused).rejects.toThrow(/EndpointRetired.v1 \/reason/);
    expect(await outbox()).toEqual([]);
  });

  it('numbers a key in the order of its commits', async () => {
    const got = follow();
    relay();
    const order: string[] = [];
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let entered: () => void = () => undefined;
    const inside = new Promise<void>((resolve) => (entered = resolve));
    const slow = stage.db.transaction(async (tx) => {
      order.push(await enqueueOne(tx, 'a', 'first'));
      entered();
      await held;
    });
    await inside;
    const quick = stage.db.transaction(async (tx) => {
      order.push(await enqueueOne(tx, 'a', 'second'));
    });
    await eventually(async () => {
      const waiting = await stage.db.rows(
        `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      expect(waiting).toHaveLength(1);
    });
    // Another key passes meanwhile, and with it what the relay could have skipped.
    const [other] = await stage.send('b', 'passing');
    await eventually(() => expect(idsFor(got, 'b')).toEqual([other]));
    release();
    await Promise.all([slow, quick]);
    await eventually(() => expect(idsFor(got, 'a')).toEqual(order));
    const numbers = got.filter(({ partitionkey }) => partitionkey === 'a');
    expect(numbers.map(({ sequence }) => sequence)).toEqual(
      numbers.map(({ sequence }) => sequence).toSorted(),
    );
  });

  it('tries again while the bus is away, and loses nothing', async () => {
    const got = follow();
    const times = { left: 3 };
    relay(refusing('all', times));
    const ids = await stage.send('a', 'one', 'two');
    await eventually(() => expect(idsFor(got, 'a')).toEqual(ids));
    expect(times.left).toBeLessThan(0);
  });

  it('parks a message that the bus will never take, and with it only its key', async () => {
    const before = await stage.send('bad', 'before');
    const oversized = await sendOversized('bad');
    const behind = await stage.send('bad', 'behind');
    const others = await stage.send('good', 'one', 'two');
    const got = follow();
    relay();
    await eventually(() => expect(idsFor(got, 'good')).toEqual(others));
    await eventually(async () => expect(await parkedCount(stage.db)).toBe(2));
    const more = await stage.send('good', 'three');
    await eventually(() => expect(idsFor(got, 'good')).toEqual([...others, ...more]));
    expect(idsFor(got, 'bad')).toEqual(before);
    const parked = await stage.db.rows(
      'SELECT parked_code, parked_cause, tries FROM outbox WHERE parked_cause IS NOT NULL',
    );
    expect(parked).toEqual([
      {
        parked_code: 'message-too-large',
        parked_cause: expect.stringMatching(/data: .* bytes/),
        tries: 1,
      },
    ]);

    // Once its cause is gone, the key goes on where it stopped.
    await stage.db.run(
      `UPDATE outbox SET message = jsonb_set(message::jsonb, '{data,reason}', '"short"')::json
        WHERE message ->> 'id' = $1`,
      [oversized],
    );
    expect(await retryParkedOutbox(stage.db, 'bad')).toBe(1);
    await eventually(() => expect(idsFor(got, 'bad')).toEqual([...before, oversized, ...behind]));
    await eventually(async () => expect(await parkedCount(stage.db)).toBe(0));
  });

  it('has one publisher, and the next one when that stops', async () => {
    const publishers: string[] = [];
    const noting = (name: string) => ({
      ...stage.bus,
      publish: async (topic: string, messages: readonly CloudEvent[]) => {
        publishers.push(name);
        await stage.bus.publish(topic, messages);
      },
    });
    const got = follow();
    const firstStop = new AbortController();
    const first = stage.relay(firstStop.signal, noting('first'));
    await stage.send('a', 'one');
    await eventually(() => expect(got).toHaveLength(1));
    relay(noting('second'));
    await stage.send('a', 'two');
    await stage.send('a', 'three');
    await eventually(() => expect(got).toHaveLength(3));
    expect(new Set(publishers)).toEqual(new Set(['first']));
    firstStop.abort();
    await first;
    await stage.send('a', 'four');
    await eventually(() => expect(got).toHaveLength(4));
    expect(publishers.at(-1)).toBe('second');
  });

  describe('a publisher that was paused and replaced', () => {
    const causes: string[] = [];
    const noting: Log = {
      ...silentLog,
      error: ({ err }) => void causes.push(String(err)),
    };
    /** Publishes, then waits before it says so. */
    const held = () => {
      let release: () => void = () => undefined;
      const go = new Promise<void>((resolve) => (release = resolve));
      const sent: string[] = [];
      const bus = {
        ...stage.bus,
        publish: async (topic: string, messages: readonly CloudEvent[]) => {
          await stage.bus.publish(topic, messages);
          sent.push(...messages.map(({ id }) => id));
          await go;
        },
      };
      return { bus, sent, release: () => release() };
    };
    beforeEach(() => {
      causes.length = 0;
    });

    it('deletes nothing when its connection was cut', async () => {
      const ids = await stage.send('a', 'one', 'two');
      const [stale, successor] = [held(), held()];
      running.push(stage.relay(stop.signal, stale.bus, { log: noting }));
      await eventually(() => expect(stale.sent).toEqual(ids));
      await stage.db.rows(
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name LIKE 'lease %'`,
      );
      relay(successor.bus);
      await eventually(() => expect(successor.sent).toEqual(ids));
      stale.release();
      await eventually(() =>
        expect(causes).toContainEqual(expect.stringMatching(/epoch 1 was taken over: epoch 2/)),
      );
      expect(await outbox()).toHaveLength(2);
      successor.release();
      await eventually(async () => expect(await outbox()).toEqual([]));
    });

    it('deletes nothing when its process stood still', async () => {
      const ids = await stage.send('a', 'one', 'two');
      const script = runScript(new URL('./relay.script.suite.ts', import.meta.url), {
        args: [stage.db.url, stage.busUrl, 'until-replaced'],
      });
      const successor = held();
      try {
        await script.line(/^published 2$/);
        process.kill(script.pid, 'SIGSTOP');
        relay(successor.bus);
        await eventually(() => expect(successor.sent).toEqual(ids), { deadlineMs: 20_000 });
        process.kill(script.pid, 'SIGCONT');
        await script.line(/^failed: .* epoch 1 was taken over: epoch 2/);
        expect(await outbox()).toHaveLength(2);
      } finally {
        await script.kill('SIGKILL');
        successor.release();
      }
      await eventually(async () => expect(await outbox()).toEqual([]));
    }, 40_000);

    it('parks nothing either', async () => {
      const oversized = await sendOversized('bad');
      let release: () => void = () => undefined;
      const go = new Promise<void>((resolve) => (release = resolve));
      let asked = 0;
      const slow = {
        ...stage.bus,
        publish: async (topic: string, messages: readonly CloudEvent[]) => {
          asked += 1;
          await go;
          await stage.bus.publish(topic, messages);
        },
      };
      const first = new AbortController();
      running.push(stage.relay(first.signal, slow, { log: noting }));
      await eventually(() => expect(asked).toBe(1));
      await stage.db.run('UPDATE lease_epochs SET epoch = epoch + 1');
      first.abort();
      release();
      await eventually(() =>
        expect(causes).toContainEqual(expect.stringMatching(/epoch 1 was taken over: epoch 2/)),
      );
      expect(await stage.db.rows("SELECT message ->> 'id' AS id, tries FROM outbox")).toEqual([
        { id: oversized, tries: 0 },
      ]);
      expect(await parkedCount(stage.db)).toBe(0);
    });
  });

  it('tells what is waiting and since when, without what is parked', async () => {
    expect(await outboxLag(stage.db)).toEqual({ waiting: 0, oldestAgeMs: 0 });
    await sendOversized('bad');
    await stage.send('bad', 'behind');
    await stage.send('good', 'one', 'two');
    await stage.db.run(
      "UPDATE outbox SET enqueued_at = now() - interval '1 hour' WHERE number = 3",
    );
    const before = await outboxLag(stage.db);
    expect(before.waiting).toBe(4);
    expect(Math.abs(before.oldestAgeMs - 3_600_000)).toBeLessThan(60_000);
    relay();
    await eventually(async () =>
      expect(await outboxLag(stage.db)).toEqual({ waiting: 0, oldestAgeMs: 0 }),
    );
    expect(await parkedCount(stage.db)).toBe(2);
  });

  it('publishes twice after a kill before the deletion, and a consumer acts once', async () => {
    const ids = await stage.send('a', 'one', 'two', 'three');
    const script = new URL('./relay.script.suite.ts', import.meta.url);
    const killed = runScript(script, { args: [stage.db.url, stage.busUrl] });
    await killed.line(/^published 3$/);
    await killed.kill('SIGKILL');
    expect(await outbox()).toHaveLength(3);

    const got = follow();
    relay();
    await eventually(async () => expect(await outbox()).toEqual([]));
    await eventually(() => expect(idsFor(got, 'a')).toEqual([...ids, ...ids]));
    const consumer = consume({
      bus: stage.bus,
      db: stage.db,
      group: 'spec.effects',
      topics: [Sent.topic],
      apply: stage.effect,
      signal: stop.signal,
      log: silentLog,
    });
    running.push(consumer.done);
    await eventually(async () =>
      expect(await stage.bus.lag('spec.effects', [Sent.topic])).toBe(0n),
    );
    expect(await stage.effects()).toEqual(ids);
  });
});
