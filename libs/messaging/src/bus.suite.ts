import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { CloudEvent } from '@patchtrail/contracts';
import { eventually } from '@patchtrail/testing';
import { type Bus, type BusRefusalCode, type Delivery, MESSAGE_BYTES_MAX } from './bus.js';
import { describeAtOnce, type StartMember } from './bus-at-once.suite.js';
import { idsOf, keysOf, messageOf, messagesOver, unique } from './test-messages.suite.js';

type Openable = Bus & Readonly<{ close: () => Promise<void> }>;

export type BusHarness = Readonly<{
  /** Another client of the same log, as another process would have. */
  open: () => Promise<Openable>;
  /** Runs the work in a database transaction, as near to the bus as can be, and rolls it back. */
  inRolledBackTransaction: (work: () => Promise<void>) => Promise<void>;
  close: () => Promise<void>;
  /** For groups to form and messages to arrive, in milliseconds. */
  deadlineMs: number;
}>;

const PARTITIONS = 4;

/** What every adapter keeps, and nothing that only one of them could. */
export function describeBus(name: string, start: () => Promise<BusHarness>): void {
  describe(name, () => {
    let harness: BusHarness;
    let bus: Openable;
    let other: Openable;
    const running: { stop: AbortController; done: Promise<void> }[] = [];

    beforeAll(async () => {
      harness = await start();
      [bus, other] = [await harness.open(), await harness.open()];
    });
    afterEach(async () => {
      for (const { stop } of running) stop.abort();
      await Promise.all(running.map(({ done }) => done));
      running.length = 0;
    });
    afterAll(async () => {
      await Promise.all([bus.close(), other.close()]);
      await harness.close();
    });

    const topicWith = async (partitions = PARTITIONS) => {
      const topic = unique('suite');
      await bus.ensureTopic(topic, partitions);
      return topic;
    };
    const member: StartMember = (topics, options = {}) => {
      const { group = unique('group'), on = bus, handle = () => undefined, atOnce = 4 } = options;
      const stop = new AbortController();
      const got: Delivery[] = [];
      const done = on.run({
        group,
        topics,
        atOnce,
        signal: stop.signal,
        handle: async (delivery) => {
          await handle(delivery, stop);
          got.push(delivery);
        },
      });
      // Awaited after each test; without this a refusal would count as unhandled until then.
      done.catch(() => undefined);
      running.push({ stop, done });
      const leave = async () => {
        stop.abort();
        await done;
      };
      return { got, group, leave, done };
    };
    const soon = (check: () => void | Promise<void>) =>
      eventually(check, { deadlineMs: harness.deadlineMs });
    const received = (deliveries: readonly Delivery[]) =>
      idsOf(deliveries.map(({ message }) => message));
    const refusal = (code: BusRefusalCode, text: RegExp | string = '') =>
      expect.objectContaining({
        name: 'BusRefusal',
        code,
        message: expect.stringMatching(text) as unknown as string,
      });

    it('delivers what was published, exactly as it was', async () => {
      const topic = await topicWith();
      const data = { b: [1.5, -0.25, null, true], a: { ключ: '\u0000 \ud83d\ude00 "\\' }, e: '' };
      const message = messageOf('kéy', data);
      await bus.publish(topic, [message]);
      const { got } = member([topic]);
      await soon(() => expect(got).toHaveLength(1));
      expect(got[0]?.message).toEqual(message);
      expect(JSON.stringify(got[0]?.message.data)).toBe(JSON.stringify(data));
      expect(got[0]?.topic).toBe(topic);
    });

    it('keeps the order of a key, from several publishers at once', async () => {
      const topic = await topicWith();
      const { got } = member([topic]);
      const keys = keysOf(8);
      await Promise.all(
        keys.map(async (key, at) => {
          for (let n = 0; n < 25; n += 1) {
            await (at % 2 === 0 ? bus : other).publish(topic, [messageOf(key, { n })]);
          }
        }),
      );
      await soon(() => expect(got).toHaveLength(200));
      for (const key of keys) {
        const ofKey = got.filter(({ message }) => message.partitionkey === key);
        expect(ofKey.map(({ message }) => message.data)).toEqual(
          Array.from({ length: 25 }, (_, n) => ({ n })),
        );
      }
    });

    it('gives a key its partition for ever, and uses them all', async () => {
      const topic = await topicWith();
      const keys = keysOf(40);
      await bus.publish(topic, messagesOver(keys, 80));
      await other.publish(topic, messagesOver(keys, 80));
      const { got } = member([topic]);
      await soon(() => expect(got).toHaveLength(160));
      for (const key of keys) {
        const ofKey = got.filter(({ message }) => message.partitionkey === key);
        expect(new Set(ofKey.map(({ partition }) => partition)).size).toBe(1);
        const offsets = ofKey.map(({ offset }) => offset);
        expect(offsets).toEqual(offsets.toSorted((a, b) => Number(a - b)));
      }
      expect(new Set(got.map(({ partition }) => partition)).size).toBe(PARTITIONS);
    });

    it('gives every group everything', async () => {
      const topic = await topicWith();
      const messages = messagesOver(keysOf(5), 20);
      await bus.publish(topic, messages);
      const [first, second] = [member([topic]), member([topic], { on: other })];
      for (const { got } of [first, second]) {
        await soon(() => expect(received(got).toSorted()).toEqual(idsOf(messages).toSorted()));
      }
    });

    it('gives a group several topics', async () => {
      const topics = [await topicWith(), await topicWith(1)];
      const { got } = member(topics);
      for (const topic of topics) await bus.publish(topic, messagesOver(keysOf(3), 3));
      await soon(() => expect(got).toHaveLength(6));
      expect(new Set(got.map(({ topic }) => topic))).toEqual(new Set(topics));
    });

    it('shares the partitions among the members of a group, and gives all to who stays', async () => {
      const topic = await topicWith();
      const keys = keysOf(40);
      const first = member([topic]);
      await bus.publish(topic, messagesOver(keys, 40));
      await soon(() => expect(first.got).toHaveLength(40));
      const second = member([topic], { group: first.group, on: other });
      await soon(async () => {
        await bus.publish(topic, messagesOver(keys, 40));
        expect(second.got.length).toBeGreaterThan(0);
      });
      await soon(async () => expect(await bus.lag(first.group, [topic])).toBe(0n));

      // From here on both have settled: each message goes to one of them.
      const before = [first.got.length, second.got.length];
      const messages = messagesOver(keys, 80);
      await bus.publish(topic, messages);
      const since = () => [first.got.slice(before[0]), second.got.slice(before[1])];
      await soon(() => expect(since().flat()).toHaveLength(80));
      expect(received(since().flat()).toSorted()).toEqual(idsOf(messages).toSorted());
      for (const part of since()) expect(part.length).toBeGreaterThan(0);

      await first.leave();
      const rest = messagesOver(keys, 40);
      await bus.publish(topic, rest);
      await soon(() => expect(received(second.got)).toEqual(expect.arrayContaining(idsOf(rest))));
    });

    it('delivers again what a handler failed on, before what is behind it', async () => {
      const topic = await topicWith(1);
      const messages = messagesOver(['key'], 4);
      await bus.publish(topic, messages);
      let failures = 0;
      const tried: string[] = [];
      const { got } = member([topic], {
        handle: ({ message }) => {
          tried.push(message.id);
          if (message.id === messages[1]?.id && failures++ < 2) throw new Error('not yet');
        },
      });
      await soon(() => expect(got).toHaveLength(4));
      expect(received(got)).toEqual(idsOf(messages));
      const [one, two, three, four] = idsOf(messages);
      expect(tried).toEqual([one, two, two, two, three, four]);
    });

    it('delivers again what was in hand when a member died', async () => {
      const topic = await topicWith(1);
      const messages = messagesOver(['key'], 3);
      await bus.publish(topic, messages);
      const doomed = member([topic], {
        handle: ({ message }, stop) => {
          if (message.id !== messages[1]?.id) return;
          stop.abort();
          throw new Error('died');
        },
      });
      await doomed.done;
      expect(received(doomed.got)).toEqual(idsOf(messages.slice(0, 1)));
      const heir = member([topic], { group: doomed.group, on: other });
      await soon(() => expect(received(heir.got)).toEqual(idsOf(messages.slice(1))));
    });

    it('finishes and commits what is in hand before it stops', async () => {
      const topic = await topicWith(1);
      const messages = messagesOver(['key'], 2);
      await bus.publish(topic, messages);
      const leaving = member([topic], { handle: (_, stop) => stop.abort() });
      await leaving.done;
      expect(received(leaving.got)).toEqual(idsOf(messages.slice(0, 1)));
      expect(await bus.lag(leaving.group, [topic])).toBe(1n);
      const next = member([topic], { group: leaving.group });
      await soon(() => expect(received(next.got)).toEqual(idsOf(messages.slice(1))));
    });

    describeAtOnce({
      topicWith,
      member,
      soon,
      publish: (...of) => bus.publish(...of),
      lag: (...of) => bus.lag(...of),
      other: () => other,
    });

    it.each([0, 1.5, 101])('refuses to work on %s at once', async (atOnce) => {
      const topic = await topicWith();
      const invalid = refusal('invalid-at-once', /atOnce: .*1 to 100/);
      await expect(member([topic], { atOnce }).done).rejects.toEqual(invalid);
      running.length = 0;
    });

    it('delivers a message as often as it was published', async () => {
      const topic = await topicWith();
      const message = messageOf('key');
      await bus.publish(topic, [message]);
      await bus.publish(topic, [message]);
      const { got } = member([topic]);
      await soon(() => expect(received(got)).toEqual([message.id, message.id]));
    });

    it('replays a group from the start, but not while it runs', async () => {
      const topic = await topicWith();
      const messages = messagesOver(keysOf(6), 12);
      await bus.publish(topic, messages);
      const first = member([topic]);
      await soon(async () => expect(await bus.lag(first.group, [topic])).toBe(0n));
      await expect(other.rewind(first.group, [topic])).rejects.toEqual(refusal('group-running'));
      await first.leave();
      await other.rewind(first.group, [topic]);
      expect(await bus.lag(first.group, [topic])).toBe(12n);
      const again = member([topic], { group: first.group });
      await soon(() => expect(received(again.got).toSorted()).toEqual(idsOf(messages).toSorted()));
    });

    it('counts what a group has not committed', async () => {
      const [topic, empty] = [await topicWith(), await topicWith()];
      const group = unique('group');
      expect(await bus.lag(group, [topic, empty])).toBe(0n);
      await bus.publish(topic, messagesOver(keysOf(7), 7));
      expect(await bus.lag(group, [topic, empty])).toBe(7n);
      const { leave } = member([topic], { group });
      await soon(async () => expect(await bus.lag(group, [topic])).toBe(0n));
      await leave();
      await bus.publish(topic, messagesOver(keysOf(3), 3));
      expect(await other.lag(group, [topic])).toBe(3n);
      expect(await other.lag(unique('group'), [topic])).toBe(10n);
    });

    it('has published although the caller rolls its own transaction back', async () => {
      const topic = await topicWith();
      await harness.inRolledBackTransaction(() => bus.publish(topic, [messageOf('key')]));
      expect(await bus.lag(unique('group'), [topic])).toBe(1n);
    });

    it('takes a topic once, with a number of partitions that stays', async () => {
      const topic = await topicWith(3);
      await other.ensureTopic(topic, 3);
      await expect(bus.ensureTopic(topic, 4)).rejects.toEqual(
        refusal('partitions-fixed', /partitions: .*3.*4/),
      );
    });

    it.each(['', 'with space', 'a/b', 'x'.repeat(201)])('refuses the topic "%s"', async (topic) => {
      await expect(bus.ensureTopic(topic, 1)).rejects.toEqual(refusal('invalid-topic', /topic: /));
    });

    it.each([0, -1, 1.5, 1_001, Number.NaN])('refuses %s partitions', async (partitions) => {
      const topic = unique('suite');
      await expect(bus.ensureTopic(topic, partitions)).rejects.toEqual(
        refusal('invalid-partitions', /partitions: /),
      );
      await expect(bus.publish(topic, [])).rejects.toEqual(refusal('unknown-topic'));
    });

    it('knows no topic that nobody made', async () => {
      const topic = unique('suite');
      const unknown = refusal('unknown-topic', topic);
      await expect(bus.publish(topic, [messageOf('key')])).rejects.toEqual(unknown);
      await expect(member([topic]).done).rejects.toEqual(unknown);
      running.length = 0;
      await expect(bus.lag('group', [topic])).rejects.toEqual(unknown);
      await expect(bus.rewind('group', [topic])).rejects.toEqual(unknown);
    });

    it('refuses a group without a proper name', async () => {
      const topic = await topicWith();
      const invalid = refusal('invalid-group', /group: /);
      await expect(member([topic], { group: 'a group' }).done).rejects.toEqual(invalid);
      running.length = 0;
      await expect(bus.rewind('a group', [topic])).rejects.toEqual(invalid);
    });

    /** Attributes and data as JSON have this many bytes together. */
    const padded = (bytes: number): CloudEvent => {
      const empty = JSON.stringify(messageOf('key', '')).length - ',"data":'.length;
      return messageOf('key', 'x'.repeat(bytes - empty));
    };

    it('takes a message of 1 MiB and none that is larger', async () => {
      const topic = await topicWith();
      const largest = padded(MESSAGE_BYTES_MAX);
      await bus.publish(topic, [largest]);
      await expect(
        bus.publish(topic, [messageOf('key'), padded(MESSAGE_BYTES_MAX + 1)]),
      ).rejects.toEqual(refusal('message-too-large', /data: .*1048577 bytes/));
      const { got } = member([topic]);
      await soon(() => expect(got).toHaveLength(1));
      expect(got[0]?.message).toEqual(largest);
      expect(await bus.lag(unique('group'), [topic])).toBe(1n);
    });

    const circular: { self?: unknown } = {};
    circular.self = circular;
    it.each<[string, RegExp, Partial<CloudEvent>]>([
      ['an empty key', /partitionkey: /, { partitionkey: '' }],
      ['a key that no column holds', /partitionkey: /, { partitionkey: 'a\u0000b' }],
      ['no id', /id: /, { id: '' }],
      ['a local time', /time: /, { time: '2026-11-21 09:00' }],
      ['data that is not there', /data: /, { data: undefined }],
      ['data that is no JSON', /data: /, { data: 1n }],
      ['data that is a function', /data: /, { data: keysOf }],
      ['data that contains itself', /data: /, { data: circular }],
    ])('refuses a message with %s, and all that came with it', async (_, text, wrong) => {
      const topic = await topicWith();
      const batch = [messageOf('key'), { ...messageOf('key'), ...wrong }];
      await expect(bus.publish(topic, batch)).rejects.toEqual(refusal('invalid-message', text));
      expect(await bus.lag(unique('group'), [topic])).toBe(0n);
    });

    it('refuses more than 1,000 messages at once', async () => {
      const topic = await topicWith();
      const batch = messagesOver(['key'], 1_001);
      await expect(bus.publish(topic, batch)).rejects.toEqual(refusal('too-many-messages'));
      expect(await bus.lag(unique('group'), [topic])).toBe(0n);
    });
  });
}
