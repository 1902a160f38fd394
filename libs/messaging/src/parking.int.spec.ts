import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Database } from '@patchtrail/postgres';
import { eventually, silentLog } from '@patchtrail/testing';
import {
  type Apply,
  type Bus,
  BusRefusal,
  consume,
  parkedCount,
  parkedMessages,
  parkedOutbox,
  replayParked,
  replayParkedOutbox,
} from './index.js';
import { openStage, Sent, type Stage } from './messaging.suite.js';
import { messageOf } from './test-messages.suite.js';

const GROUP = 'spec.parking';
/** So many that the numbers of those that are parked next have one digit, then two. */
const PARKED_BEFORE = 7;

describe('what is parked', () => {
  let stage: Stage;
  let stop: AbortController;
  const running: Promise<void>[] = [];
  beforeEach(async () => {
    stage = await openStage();
    stop = new AbortController();
    for (const table of ['parked_messages', 'outbox']) {
      const sequence = `pg_get_serial_sequence('${table}', 'number')`;
      await stage.db.rows(`SELECT setval(${sequence}, ${String(PARKED_BEFORE)})`);
    }
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(running.splice(0));
    await stage.close();
  });
  const numbersOf = (page: readonly { number: string }[]) => page.map(({ number }) => number);

  it('is listed and replayed in its order, however many were before (consumer)', async () => {
    let poisonous = true;
    const apply: Apply = async (tx, message) => {
      if (poisonous) throw new Error('poison');
      await stage.effect(tx, message);
    };
    const { db, bus } = stage;
    const consuming = { db, bus, group: GROUP, topics: [Sent.topic], apply, log: silentLog };
    running.push(consume({ ...consuming, signal: stop.signal, retryDelaysMs: [] }).done);
    running.push(stage.relay(stop.signal));
    const ids = await stage.send('a', 'one', 'two', 'three', 'four');
    await eventually(async () => expect(await parkedCount(db)).toBe(4));
    const first = await parkedMessages(db, { after: '0', limit: 3 });
    expect(numbersOf(first)).toEqual(['8', '9', '10']);
    expect(numbersOf(await parkedMessages(db, { after: '10', limit: 3 }))).toEqual(['11']);
    poisonous = false;
    expect(await replayParked({ db, group: GROUP, key: 'a', apply })).toBe(4);
    expect(await stage.effects()).toEqual(ids);
  });

  it('is listed and published in its order, however many were before (relay)', async () => {
    let isRefused = true;
    const { db } = stage;
    const sent: string[] = [];
    const publish: Bus['publish'] = (_, messages) => {
      if (isRefused) return Promise.reject(new BusRefusal('invalid-message', 'data', 'wrong'));
      sent.push(...messages.map(({ id }) => id));
      return Promise.resolve();
    };
    running.push(stage.relay(stop.signal, { publish }));
    const ids = await stage.send('a', 'one', 'two', 'three', 'four');
    await eventually(async () => expect(await parkedCount(db)).toBe(4));
    const first = await parkedOutbox(db, { after: '0', limit: 3 });
    expect(numbersOf(first)).toEqual(['8', '9', '10']);
    expect(numbersOf(await parkedOutbox(db, { after: '10', limit: 3 }))).toEqual(['11']);
    isRefused = false;
    expect(await replayParkedOutbox(db, 'a')).toEqual({ replayed: 4, waiting: 0 });
    expect(sent).toEqual(ids);
  });

  it('is not said to be where another member has handled it meanwhile', async () => {
    const { db, bus } = stage;
    const errors: string[] = [];
    await db.run('CREATE TABLE handled (source text, id text)');
    const apply: Apply = async (_, { source, id }) => {
      await db.run('INSERT INTO handled VALUES ($1, $2)', [source, id]);
      throw new Error('poison');
    };
    /** Asked once the last try has failed. */
    const reachable = () => db.run('INSERT INTO inbox SELECT $1, source, id FROM handled', [GROUP]);
    const log = { ...silentLog, error: (_: unknown, text: string) => void errors.push(text) };
    const consuming = { db, bus, group: GROUP, topics: [Sent.topic], apply, reachable, log };
    running.push(consume({ ...consuming, signal: stop.signal, retryDelaysMs: [] }).done);
    running.push(stage.relay(stop.signal));
    await stage.send('a', 'one');
    await eventually(async () => {
      expect(await db.rows('SELECT 1 FROM inbox')).toHaveLength(1);
      expect(await bus.lag(GROUP, [Sent.topic])).toBe(0n);
    });
    expect([await parkedCount(db), errors]).toEqual([0, []]);
  });

  it('is nothing whose last try found no free connection', async () => {
    const { bus } = stage;
    let isTaken = true;
    const transaction: Database['transaction'] = (work) => {
      if (!isTaken) return stage.db.transaction(work);
      isTaken = false;
      return Promise.reject(new Error('timeout exceeded when trying to connect'));
    };
    const db = { ...stage.db, transaction };
    const consuming = { db, bus, group: GROUP, topics: [Sent.topic], apply: stage.effect };
    const options = { ...consuming, signal: stop.signal, log: silentLog, retryDelaysMs: [] };
    running.push(consume(options).done);
    running.push(stage.relay(stop.signal));
    const ids = await stage.send('a', 'one');
    await eventually(async () => expect(await stage.effects()).toEqual(ids));
    expect(await parkedCount(db)).toBe(0);
  });

  it('is listed whatever text it holds', async () => {
    const { db, bus } = stage;
    const apply: Apply = () => Promise.reject(new Error('poison'));
    const consuming = { db, bus, group: GROUP, topics: [Sent.topic], apply, log: silentLog };
    running.push(consume({ ...consuming, signal: stop.signal, retryDelaysMs: [] }).done);
    const messages = ['\u0000', '\ud800'].map((text) => messageOf('a', { text }));
    await bus.publish(Sent.topic, messages);
    await eventually(async () => expect(await parkedCount(db)).toBe(2));
    const namesOf = (page: readonly { messageId: string; type: string }[]) =>
      page.map(({ messageId, type }) => [messageId, type]);
    const listed = namesOf(await parkedMessages(db, { after: '0', limit: 3 }));
    expect(listed).toEqual(messages.map(({ id, type }) => [id, type]));
    const [id] = await stage.send('b', 'not \u0000 text');
    await db.run("UPDATE outbox SET parked_cause = 'wrong'");
    const held = namesOf(await parkedOutbox(db, { after: '0', limit: 3 }));
    expect(held).toEqual([[id, Sent.type]]);
  });
});
