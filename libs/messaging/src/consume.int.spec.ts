import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { assertData, type CloudEvent, ContractViolation } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import { type Database, openDatabase, SqlError } from '@patchtrail/postgres';
import { eventually, silentLog } from '@patchtrail/testing';
import { randomUUID } from 'node:crypto';
import {
  type Apply,
  type Bus,
  consume,
  type ConsumeOptions,
  type Delivery,
  parkedCount,
  replayParked,
} from './index.js';
import { openStage, Sent, type Stage } from './messaging.suite.js';
import { gate, messageOf } from './test-messages.suite.js';

const GROUP = 'spec.effects';

describe('consume', () => {
  let stage: Stage;
  let stop: AbortController;
  /** How often `apply` still fails on a reason. */
  let failing: Map<string, number>;
  let tries: string[];
  const running: Promise<void>[] = [];

  beforeEach(async () => {
    stage = await openStage();
    stop = new AbortController();
    failing = new Map();
    tries = [];
    running.push(stage.relay(stop.signal));
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(running);
    running.length = 0;
    await stage.close();
  });

  const reasonOf = (message: CloudEvent) => assertData(Sent, message.data).reason;
  /** Leaves its effect first, so that every failure has something to undo. */
  const apply: Apply = async (tx, message) => {
    await stage.effect(tx, message);
    const reason = reasonOf(message);
    tries.push(reason);
    if (reason === 'refuse') throw new DomainError('not-today', 'reason: it must not be refuse');
    if (reason === 'violate') throw new ContractViolation(message.type, '/data/reason', 'wrong');
    const failures = failing.get(reason) ?? 0;
    failing.set(reason, failures - 1);
    if (failures > 0) throw new Error(`failed on ${reason}\u0000`);
  };
  const start = (options: Partial<ConsumeOptions> = {}) => {
    const { done } = consume({
      bus: stage.bus,
      db: stage.db,
      group: GROUP,
      topics: [Sent.topic],
      apply,
      signal: stop.signal,
      log: silentLog,
      retryDelaysMs: [1, 1, 1, 1],
      ...options,
    });
    running.push(done);
  };
  const consumed = () =>
    eventually(async () => {
      expect(await stage.db.rows('SELECT 1 FROM outbox')).toEqual([]);
      expect(await stage.bus.lag(GROUP, [Sent.topic])).toBe(0n);
    });
  const refused = () =>
    stage.db.rows('SELECT consumer_group, topic, code, cause FROM refused_messages');
  const causes = () =>
    stage.db.rows('SELECT code, cause, tries FROM parked_messages ORDER BY number');
  const replay = (key: string) => replayParked({ db: stage.db, group: GROUP, key, apply });

  it('applies each message once, however often it comes', async () => {
    start();
    const ids = await stage.send('a', 'one', 'two');
    await consumed();
    const data = { endpointId: randomUUID(), reason: 'again' };
    await stage.bus.publish(
      Sent.topic,
      ids.map((id) => ({ ...messageOf('a', data, id), source: Sent.source, type: Sent.type })),
    );
    await consumed();
    expect(await stage.effects()).toEqual(ids);
    expect(tries).toEqual(['one', 'two']);
  });

  it('passes over what it does not act on, but for what is no message at all', async () => {
    const noMessages = ['{"data_base64":"/wA="}', '{"type":["said","twice"]}'];
    const run: Bus['run'] = async (options) => {
      for (const text of noMessages) {
        const message = JSON.parse(text) as CloudEvent;
        await options.handle({ topic: Sent.topic, partition: 0, offset: 0n, message });
      }
      await stage.bus.run(options);
    };
    start({ types: [Sent.type], bus: { ...stage.bus, run } });
    await stage.bus.publish(Sent.topic, [
      { ...messageOf('a'), type: 'org.patchtrail.spec.SomethingElse.v1' },
    ]);
    const ids = await stage.send('a', 'one');
    await consumed();
    expect(await stage.effects()).toEqual(ids);
    expect(await stage.db.rows('SELECT message_id AS id FROM inbox')).toEqual([{ id: ids[0] }]);
    const refusals = await refused();
    expect(refusals).toMatchObject(Array(noMessages.length).fill({ code: 'contract-violation' }));
  });

  it('knows a message by its source and id, for each group', async () => {
    start();
    const data = { endpointId: randomUUID(), reason: 'fine' };
    const message = { ...messageOf('a', data), type: Sent.type };
    const elsewhere = { ...message, source: '/patchtrail/elsewhere' };
    await stage.bus.publish(Sent.topic, [message, elsewhere]);
    await consumed();
    expect(await stage.effects()).toEqual([message.id, message.id]);
    start({ group: 'spec.other' });
    await eventually(async () => expect(await stage.effects()).toHaveLength(4));
  });

  it.each([
    ['refuse', 'not-today', /reason: it must not be refuse/],
    ['violate', 'contract-violation', /\/data\/reason: wrong/],
  ])('consumes a refusal (%s), records it and undoes its effect', async (reason, code, cause) => {
    start();
    const [, after] = await stage.send('a', reason, 'fine');
    await consumed();
    expect(await stage.effects()).toEqual([after]);
    expect(tries).toEqual([reason, 'fine']);
    expect(await refused()).toEqual([
      { consumer_group: GROUP, topic: Sent.topic, code, cause: expect.stringMatching(cause) },
    ]);
    expect(await parkedCount(stage.db)).toBe(0);
  });

  it('records a message that is no CloudEvent, and goes on', async () => {
    const fine = messageOf('a', { reason: 'fine' });
    const deliveries = [{ ...messageOf('a'), id: 7 }, fine];
    const bus: Bus = {
      ...stage.bus,
      run: async ({ handle }) => {
        for (const [at, message] of deliveries.entries()) {
          const delivery = { topic: Sent.topic, partition: 0, offset: BigInt(at), message };
          await handle(delivery as Delivery);
        }
      },
    };
    start({ bus, apply: stage.effect });
    await eventually(async () => expect(await stage.effects()).toEqual([fine.id]));
    expect(await refused()).toMatchObject([{ cause: expect.stringMatching(/CloudEvent \/id/) }]);
  });

  it('refuses data that break their contract, whatever is applied to them', async () => {
    start({ apply: stage.effect });
    const wrong = { ...messageOf('a', { endpointId: randomUUID(), reason: 7 }), type: Sent.type };
    const fine = { ...messageOf('a', { endpointId: randomUUID(), reason: '7' }), type: Sent.type };
    await stage.bus.publish(Sent.topic, [wrong, fine]);
    await consumed();
    expect(await stage.effects()).toEqual([fine.id]);
    expect(await refused()).toMatchObject([
      { code: 'contract-violation', cause: expect.stringContaining('/reason') },
    ]);
  });

  it('tries again what failed, and then has acted once', async () => {
    failing.set('flaky', 4);
    start();
    const sent = await stage.send('a', 'flaky', 'behind');
    await consumed();
    expect(await stage.effects()).toEqual(sent);
    expect(tries).toEqual([...Array<string>(5).fill('flaky'), 'behind']);
    expect(await parkedCount(stage.db)).toBe(0);
  });

  it('parks the key after five tries; other keys go on; a replay keeps the order', async () => {
    failing.set('poison', Infinity);
    start();
    const bad = await stage.send('bad', 'poison', 'behind');
    const good = await stage.send('good', 'fine');
    await consumed();
    expect(tries.filter((reason) => reason === 'poison')).toHaveLength(5);
    expect(await stage.effects()).toEqual(good);
    const later = await stage.send('bad', 'later');
    await consumed();
    expect(await parkedCount(stage.db)).toBe(3);
    const cause = expect.stringMatching(/Error: failed on poison/);
    expect(await causes()).toEqual([
      { cause, code: 'unexpected', tries: 5 },
      { cause: null, code: null, tries: 0 },
      { cause: null, code: null, tries: 0 },
    ]);

    failing.clear();
    expect(await replay('bad')).toBe(3);
    expect(await stage.effects()).toEqual([...good, ...bad, ...later]);
    expect(await parkedCount(stage.db)).toBe(0);
    const next = await stage.send('bad', 'next');
    await consumed();
    expect(await stage.effects()).toEqual([...good, ...bad, ...later, ...next]);
  });

  it('ends a replay at what fails again, with its cause', async () => {
    failing.set('poison', Infinity).set('second', Infinity);
    start();
    const [first] = await stage.send('bad', 'poison', 'second', 'third');
    await consumed();
    failing.delete('poison');
    await expect(replay('bad')).rejects.toThrow('failed on second');
    expect(await stage.effects()).toEqual([first]);
    const cause = expect.stringMatching(/Error: failed on second/);
    expect(await causes()).toMatchObject([
      { cause, tries: 1 },
      { cause: null, tries: 0 },
    ]);
  });

  it('records what a replay is refused, and goes on', async () => {
    failing.set('poison', Infinity);
    start();
    await stage.send('bad', 'poison', 'refuse', 'fine');
    await consumed();
    failing.clear();
    expect(await replay('bad')).toBe(3);
    expect(await refused()).toMatchObject([{ code: 'not-today' }]);
    expect(await stage.effects()).toHaveLength(2);
  });

  it('replays nothing where nothing is parked', async () => {
    expect(await replay('unknown')).toBe(0);
  });

  it('applies once although two replays run at a time', async () => {
    failing.set('poison', Infinity);
    start();
    const ids = await stage.send('bad', 'poison', 'a', 'b', 'c');
    await consumed();
    failing.clear();
    await Promise.all([replay('bad'), replay('bad')]);
    expect(await stage.effects()).toEqual(ids);
  });

  it('parks nothing while its own database is away', async () => {
    const broken = await openDatabase({ url: stage.db.url, applicationName: 'spec' });
    const [id] = await stage.send('a', 'fine');
    let away = true;
    let asked = 0;
    const db: Database = {
      ...broken,
      transaction: (work) => {
        asked += 1;
        return away ? Promise.reject(new Error('away')) : broken.transaction(work);
      },
    };
    start({ db });
    await eventually(() => expect(asked).toBeGreaterThan(12));
    away = false;
    await consumed();
    expect(await stage.effects()).toEqual([id]);
    expect(await parkedCount(stage.db)).toBe(0);
    await broken.close();
  });

  it('parks nothing while something else that it needs is away', async () => {
    failing.set('early', 17);
    let asked = 0;
    start({
      reachable: () => {
        asked += 1;
        return asked < 4 ? Promise.reject(new Error('away')) : Promise.resolve();
      },
    });
    const [id] = await stage.send('a', 'early');
    // Three deliveries of four tries each, then the last one: its failure is the message's own.
    await eventually(async () => expect(await parkedCount(stage.db)).toBe(1));
    expect(tries).toHaveLength(17);
    expect(await replay('a')).toBe(1);
    expect(await stage.effects()).toEqual([id]);
  });

  it.each(['its own database', 'something else that it needs'])(
    'parks nothing where %s comes back during the last try',
    async (what) => {
      let left = 3;
      const answer = <T>(asked: () => Promise<T>) =>
        left > 0 ? Promise.reject(new Error('away')) : asked();
      const tryOnce = <T>(asked: () => Promise<T>) => {
        const answered = answer(asked);
        left -= 1;
        return answered;
      };
      const own: Database = {
        ...stage.db,
        rows: (...of) => answer(() => stage.db.rows(...of)),
        transaction: (work) => tryOnce(() => stage.db.transaction(work)),
      };
      const needed: Partial<ConsumeOptions> = {
        apply: (...of) => tryOnce(() => stage.effect(...of)),
        reachable: () => answer(() => Promise.resolve()),
      };
      start({ ...(what === 'its own database' ? { db: own } : needed), retryDelaysMs: [1, 1] });
      const ids = await stage.send('a', 'fine');
      await consumed();
      expect(await parkedCount(stage.db)).toBe(0);
      expect(await stage.effects()).toEqual(ids);
    },
  );

  it.each(['40P01', '55P03'])('parks nothing for a lock that others hold (%s)', async (code) => {
    let left = 12;
    start({
      apply: (tx, message) => {
        left -= 1;
        if (left > 0) throw new SqlError('contended', code, undefined);
        return stage.effect(tx, message);
      },
    });
    const [id] = await stage.send('a', 'contended');
    await consumed();
    expect(left).toBe(0);
    expect(await stage.effects()).toEqual([id]);
    expect(await parkedCount(stage.db)).toBe(0);
  });

  it('applies both of two that lock each other out', async () => {
    const turns: string[] = [];
    const met = new Map(['a', 'b'].map((key) => [key, gate()]));
    start({
      apply: async (tx, message) => {
        const own = message.partitionkey;
        const other = own === 'a' ? 'b' : 'a';
        const lock = 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))';
        turns.push(own);
        await tx.rows(lock, [own]);
        met.get(own)?.open();
        await met.get(other)?.opened;
        await tx.rows(lock, [other]);
        await stage.effect(tx, message);
      },
    });
    const ids = [...(await stage.send('a', 'one')), ...(await stage.send('b', 'two'))];
    await consumed();
    expect((await stage.effects()).toSorted()).toEqual(ids.toSorted());
    expect(turns.length).toBeGreaterThan(2);
    expect(await parkedCount(stage.db)).toBe(0);
  });

  it('applies messages of different keys at once', async () => {
    const met = new Map(['a', 'b'].map((key) => [key, gate()]));
    const apply: Apply = async (tx, message) => {
      met.get(message.partitionkey)?.open();
      await Promise.all([...met.values()].map(({ opened }) => opened));
      await stage.effect(tx, message);
    };
    start({ apply });
    await stage.send('a', 'one');
    await stage.send('b', 'two');
    await eventually(async () => expect(await stage.effects()).toHaveLength(2));
  });

  it('gives up a wait between two tries when it is stopped, and keeps the message', async () => {
    failing.set('slow', Infinity);
    const { done } = consume({
      bus: stage.bus,
      db: stage.db,
      group: GROUP,
      topics: [Sent.topic],
      apply,
      signal: stop.signal,
      log: silentLog,
      retryDelaysMs: [600_000],
    });
    await stage.send('a', 'slow');
    await eventually(() => expect(tries).toEqual(['slow']));
    stop.abort();
    await done;
    expect(await stage.bus.lag(GROUP, [Sent.topic])).toBe(1n);
    expect(await parkedCount(stage.db)).toBe(0);
  });
});
