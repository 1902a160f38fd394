import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Database, openDatabase } from '@patchtrail/postgres';
import {
  eventually,
  freshProvisioned,
  type FreshProvisioned,
  runScript,
} from '@patchtrail/testing';
import { idsOf, keysOf, messageOf, messagesOver, unique } from '../test-messages.suite.js';
import { busGrants, busMigrations } from './migrations.js';
import { type OpenBus, openPostgresBus } from './postgres-bus.js';

/** So rare that only a hint can explain an answer within a test. */
const NEVER = { pollMs: 600_000, rebalanceMs: 600_000 };

describe('the log in PostgreSQL', () => {
  let provisioned: FreshProvisioned;
  let owner: Database;
  let url: string;
  let role: Database;
  const opened: OpenBus[] = [];

  beforeAll(async () => {
    provisioned = await freshProvisioned([{ database: 'bus', role: 'bus', ownsSchema: false }]);
    const urls = provisioned.databases.get('bus') ?? { url: '', ownerUrl: '' };
    url = urls.url;
    const migrations = busMigrations;
    owner = await openDatabase({ url: urls.ownerUrl, applicationName: 'spec', migrations });
    await owner.run(busGrants(new URL(url).username));
    role = await openDatabase({ url, applicationName: 'spec' });
  });
  afterEach(async () => {
    await Promise.all(opened.map((bus) => bus.close()));
    opened.length = 0;
  });
  afterAll(async () => {
    await role.close();
    await owner.close();
    await provisioned.drop();
  });

  const open = async (pace = {}) => {
    const bus = await openPostgresBus({ url, pace: { redeliveryMs: 10, ...pace } });
    opened.push(bus);
    return bus;
  };
  const topicOf = async (bus: OpenBus, partitions = 4) => {
    const topic = unique('topic');
    await bus.ensureTopic(topic, partitions);
    return topic;
  };
  const follow = (bus: OpenBus, topic: string, group = unique('group')) => {
    const got: string[] = [];
    const stop = new AbortController();
    const done = bus.run({
      group,
      topics: [topic],
      signal: stop.signal,
      handle: ({ message }) => Promise.resolve(void got.push(message.id)),
    });
    return { got, group, stop, done };
  };
  const membersOf = async () =>
    owner.rows<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
        WHERE application_name = 'patchtrail-bus-member' AND datname = current_database()`,
    );
  const cutMembers = async () => {
    for (const { pid } of await membersOf()) {
      await owner.rows('SELECT pg_terminate_backend($1)', [pid]);
    }
  };

  it.each([
    'UPDATE messages SET data = $1::json',
    'DELETE FROM messages WHERE key = $1',
    'UPDATE topics SET name = $1',
    'DELETE FROM group_offsets WHERE topic = $1',
  ])('lets its role not do: %s', async (sql) => {
    await expect(role.run(sql, ['1'])).rejects.toThrow(/permission denied/);
  });

  it('numbers a partition without a gap, also where publishers race and fail', async () => {
    const bus = await open();
    const topic = await topicOf(bus, 2);
    const writers = keysOf(6).map(async (key) => {
      for (let n = 0; n < 20; n += 1) {
        await bus.publish(topic, [messageOf(key), messageOf(unique(key))]);
        const bad = bus.publish(topic, [messageOf(key), messageOf('')]);
        await expect(bad).rejects.toThrow(/partitionkey/);
      }
    });
    await Promise.all(writers);
    const partitions = await owner.rows(
      `SELECT min("offset")::int AS first, (max("offset") + 1 - count(*))::int AS gaps
         FROM messages WHERE topic = $1 GROUP BY partition`,
      [topic],
    );
    expect(partitions).toEqual([
      { first: 0, gaps: 0 },
      { first: 0, gaps: 0 },
    ]);
  });

  it('wakes its members for a message', async () => {
    const bus = await open(NEVER);
    const topic = await topicOf(bus);
    const { got } = follow(bus, topic);
    for (const message of messagesOver(keysOf(4), 8)) {
      await bus.publish(topic, [message]);
      await eventually(() => expect(got).toContain(message.id));
    }
  });

  it('finds a message that no hint told of', async () => {
    const bus = await open({ pollMs: 20 });
    const topic = await topicOf(bus, 1);
    const { got } = follow(bus, topic);
    const { data, ...attributes } = messageOf('key');
    await owner.run('INSERT INTO messages VALUES ($1, 0, 0, $2, $3::json, $4::json)', [
      topic,
      'key',
      JSON.stringify(attributes),
      JSON.stringify(data),
    ]);
    await eventually(() => expect(got).toEqual([attributes.id]));
  });

  it('looks no more often once what had failed is handled', async () => {
    const bus = await open(NEVER);
    const topic = await topicOf(bus, 1);
    const message = messageOf('key');
    await bus.publish(topic, [message]);
    const tried: string[] = [];
    const stop = new AbortController();
    const running = bus.run({
      group: unique('group'),
      topics: [topic],
      signal: stop.signal,
      handle: ({ message: { id } }) => {
        tried.push(id);
        return tried.length === 1 ? Promise.reject(new Error('not yet')) : Promise.resolve();
      },
    });
    await eventually(() => expect(tried).toEqual([message.id, message.id]));
    const lastLook = () =>
      role.rows(
        `SELECT query_start::text FROM pg_stat_activity
          WHERE application_name = 'patchtrail-bus-member' AND datname = current_database()`,
      );
    await eventually(async () => {
      const before = await lastLook();
      expect(before).toEqual([{ query_start: expect.any(String) }]);
      // It is about the clock: many times the pause after a failure.
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(await lastLook()).toEqual(before);
    });
    stop.abort();
    await running;
  });

  it('hands partitions over at once when a member comes and when it goes', async () => {
    const [a, b] = [await open(NEVER), await open(NEVER)];
    const topic = await topicOf(a);
    const first = follow(a, topic);
    await a.publish(topic, messagesOver(keysOf(40), 40));
    await eventually(() => expect(first.got).toHaveLength(40));
    const second = follow(b, topic, first.group);
    await eventually(async () => {
      await a.publish(topic, messagesOver(keysOf(40), 40));
      expect(second.got.length).toBeGreaterThan(0);
    });
    first.stop.abort();
    await first.done;
    const rest = messagesOver(keysOf(40), 40);
    await b.publish(topic, rest);
    await eventually(() => expect(second.got).toEqual(expect.arrayContaining(idsOf(rest))));
  });

  it('joins again by itself after its connection was cut', async () => {
    const bus = await open();
    const topic = await topicOf(bus);
    const { got } = follow(bus, topic);
    const before = messagesOver(keysOf(4), 4);
    await bus.publish(topic, before);
    await eventually(() => expect(got).toEqual(expect.arrayContaining(idsOf(before))));
    await cutMembers();
    const after = messagesOver(keysOf(4), 4);
    await bus.publish(topic, after);
    await eventually(() => expect(got).toEqual(expect.arrayContaining(idsOf(after))));
  });

  it('commits nothing that was handled while the connection was gone', async () => {
    const bus = await open();
    const topic = await topicOf(bus, 1);
    const messages = messagesOver(['key'], 3);
    await bus.publish(topic, messages);
    const got: string[] = [];
    const group = unique('group');
    const running = bus.run({
      group,
      topics: [topic],
      signal: AbortSignal.timeout(60_000),
      handle: async ({ message }) => {
        got.push(message.id);
        if (got.length === 1) await cutMembers();
      },
    });
    running.catch(() => undefined);
    const [first, second, third] = idsOf(messages);
    await eventually(() => expect(got).toEqual([first, first, second, third]));
    await eventually(async () => expect(await bus.lag(group, [topic])).toBe(0n));
  });

  it('gives what a killed process had in hand to the next member', async () => {
    const bus = await open();
    const topic = await topicOf(bus, 1);
    const group = unique('group');
    const message = messageOf('key');
    await bus.publish(topic, [message]);
    const script = new URL('./holder.script.suite.ts', import.meta.url);
    const holder = runScript(script, { args: [url, group, topic] });
    await holder.line(new RegExp(`in hand ${message.id}`));
    const heir = follow(bus, topic, group);
    await eventually(async () => expect(await membersOf()).toHaveLength(2));
    expect(heir.got).toEqual([]);
    await holder.kill('SIGKILL');
    await eventually(() => expect(heir.got).toEqual([message.id]));
  });

  it('takes no partition that its holder has not let go', async () => {
    const [busy, idle] = [await open(), await open()];
    const topic = await topicOf(busy, 2);
    const marker = `${topic}.z`;
    await busy.ensureTopic(marker, 1);
    const group = unique('group');
    const messages = messagesOver(keysOf(20), 20);
    await busy.publish(topic, messages);
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    let inHand = 0;
    const stop = new AbortController();
    const handle = () => {
      inHand += 1;
      return held;
    };
    const done = busy.run({ group, topics: [topic], signal: stop.signal, handle });
    await eventually(() => expect(inHand).toBeGreaterThan(0));

    const got: string[] = [];
    const next = idle.run({
      group,
      topics: [topic, marker],
      signal: AbortSignal.any([stop.signal, AbortSignal.timeout(60_000)]),
      handle: ({ message }) => Promise.resolve(void got.push(message.id)),
    });
    const mark = messageOf('mark');
    await idle.publish(marker, [mark]);
    // It has joined, taken what was free, and looked for messages.
    await eventually(() => expect(got).toContain(mark.id));
    expect(got).toEqual([mark.id]);
    letGo();
    await eventually(async () => {
      await busy.publish(topic, messagesOver(keysOf(20), 20));
      expect(got.length).toBeGreaterThan(1);
    });
    stop.abort();
    await Promise.all([done, next]);
  });

  it('takes the partitions from a member that hangs in its handler', async () => {
    const [hanging, healthy] = [await open({ silenceMs: 500 }), await open()];
    const topic = await topicOf(hanging, 1);
    const message = messageOf('key');
    await hanging.publish(topic, [message]);
    const group = unique('group');
    let letGo: () => void = () => undefined;
    const hung = new Promise<void>((resolve) => (letGo = resolve));
    let inHand = '';
    const stop = new AbortController();
    const done = hanging.run({
      group,
      topics: [topic],
      signal: stop.signal,
      handle: (delivery) => {
        inHand = delivery.message.id;
        return hung;
      },
    });
    await eventually(() => expect(inHand).toBe(message.id));
    const { got } = follow(healthy, topic, group);
    await eventually(() => expect(got).toEqual([message.id]));
    stop.abort();
    letGo();
    await done;
  });

  it('stops its members when it is closed', async () => {
    const bus = await open();
    const topic = await topicOf(bus);
    const { got, done } = follow(bus, topic);
    await bus.publish(topic, [messageOf('key')]);
    await eventually(() => expect(got).toHaveLength(1));
    await bus.close();
    opened.length = 0;
    await done;
    await eventually(async () => expect(await membersOf()).toEqual([]));
  });
});
