import { afterEach, beforeAll, expect, it } from '@jest/globals';
import { eventually, runScript, silentLog } from '@patchtrail/testing';
import { missingKafka, testBrokers } from '@patchtrail/testing/kafka';
import { lane } from '@patchtrail/testing/lane';
import kafkajs, { Kafka, logLevel, Partitioners } from 'kafkajs';
import type { Delivery } from '../bus.js';
import { idsOf, keysOf, messageOf, messagesOver, unique } from '../test-messages.suite.js';
import { visit } from './kafka.suite.js';
import { type KafkaBus, openKafkaBus } from './kafka-bus.js';

const DEADLINE = { deadlineMs: 20_000 };

lane('a member of a Kafka group', await missingKafka(), () => {
  let brokers: readonly string[];
  const { open, follow, close } = visit(() => brokers);
  beforeAll(async () => {
    brokers = await testBrokers();
  }, 120_000);
  afterEach(close);

  const topicOf = async (bus: KafkaBus, partitions = 4) => {
    const topic = unique('topic');
    await bus.ensureTopic(topic, partitions);
    return topic;
  };
  const gate = () => {
    let letGo: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (letGo = resolve));
    return { held, letGo: () => letGo() };
  };
  const raw = () => new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });

  it('leaves what it had in hand to the next when its process is killed', async () => {
    const bus = await open();
    const topic = await topicOf(bus, 1);
    const messages = messagesOver(['key'], 2);
    await bus.publish(topic, messages);
    const group = unique('group');
    const script = new URL('./holder.script.suite.ts', import.meta.url);
    const holder = runScript(script, { args: [brokers.join(','), group, topic] });
    await holder.line(new RegExp(`in hand ${String(messages[0]?.id)}`));
    await holder.kill('SIGKILL');
    const heir = follow(bus, topic, { group });
    await eventually(() => expect(heir.got).toEqual(idsOf(messages)), DEADLINE);
  });

  it('finishes what it has in hand while another joins, and commits it', async () => {
    const [one, two] = [await open(), await open()];
    const topic = await topicOf(one, 2);
    const keys = keysOf(20);
    const messages = messagesOver(keys, 20);
    await one.publish(topic, messages);
    const { held, letGo } = gate();
    const inHand: string[] = [];
    const first = follow(one, topic, {
      handle: ({ message }) => {
        inHand.push(message.id);
        return inHand.length === 1 ? held : undefined;
      },
    });
    await eventually(() => expect(inHand.length).toBeGreaterThan(0), DEADLINE);
    const second = follow(two, topic, { group: first.group });
    const admin = raw().admin();
    await admin.connect();
    await eventually(async () => {
      const { groups } = await admin.describeGroups([first.group]);
      expect(groups[0]?.state).toBe('PreparingRebalance');
    }, DEADLINE);
    await admin.disconnect();
    expect(second.got).toEqual([]);
    letGo();
    const all = () => [...first.got, ...second.got];
    await eventually(() => expect(new Set(all())).toEqual(new Set(idsOf(messages))), DEADLINE);
    await eventually(async () => {
      await one.publish(topic, messagesOver(keys, 20));
      expect(second.got.length).toBeGreaterThan(0);
    }, DEADLINE);
    expect(all().filter((id) => id === inHand[0])).toHaveLength(1);
  });

  it('lives in its handler for longer than a silent one would', async () => {
    // Longer than a busy host keeps anybody from beating.
    const pace = { sessionMs: 5_000 };
    const [one, two] = [await open({ pace }), await open({ pace })];
    const topic = await topicOf(one, 1);
    await one.publish(topic, [messageOf('key')]);
    let began = 0;
    const slow = follow(one, topic, {
      handle: () => {
        began += 1;
        // Longer than the session; a real clock is what it is about.
        return new Promise((resolve) => setTimeout(resolve, 1.5 * pace.sessionMs));
      },
    });
    await eventually(() => expect(began).toBe(1), DEADLINE);
    const other = follow(two, topic, { group: slow.group });
    await eventually(() => expect(slow.got).toHaveLength(1), DEADLINE);
    await eventually(async () => expect(await two.lag(slow.group, [topic])).toBe(0n), DEADLINE);
    expect([began, other.got]).toEqual([1, []]);
  });

  it('loses its partitions when it hangs in its handler, and commits nothing then', async () => {
    const pace = { sessionMs: 2_000, silenceMs: 1_000 };
    const [hanging, healthy] = [await open({ pace }), await open()];
    const topic = await topicOf(hanging, 1);
    const messages = messagesOver(['key'], 2);
    await hanging.publish(topic, messages);
    const { held, letGo } = gate();
    const inHand: string[] = [];
    const stuck = follow(hanging, topic, {
      handle: ({ message }) => {
        inHand.push(message.id);
        return held;
      },
    });
    await eventually(() => expect(inHand).toHaveLength(1), DEADLINE);
    const next = gate();
    const heir = follow(healthy, topic, {
      group: stuck.group,
      handle: ({ message }) => (message.id === messages[1]?.id ? next.held : undefined),
    });
    await eventually(() => expect(heir.got).toEqual([messages[0]?.id]), DEADLINE);
    letGo();
    await eventually(() => expect(stuck.got).toHaveLength(1), DEADLINE);
    next.letGo();
    await eventually(
      async () => expect(await healthy.lag(stuck.group, [topic])).toBe(0n),
      DEADLINE,
    );
  });

  it('gives the other partitions their turn while one fails', async () => {
    const bus = await open({ pace: { redeliveryMs: 300 } });
    const topic = await topicOf(bus, 2);
    const messages = messagesOver(keysOf(20), 20);
    await bus.publish(topic, messages);
    let failing: number | null = null;
    let failures = 0;
    const partitions: number[] = [];
    const { got } = follow(bus, topic, {
      handle: ({ partition }: Delivery) => {
        failing ??= partition;
        if (partition === failing && partitions.length < 5) {
          failures += 1;
          throw new Error('not yet');
        }
        partitions.push(partition);
      },
    });
    await eventually(() => expect(new Set(got)).toEqual(new Set(idsOf(messages))), DEADLINE);
    expect(failures).toBeGreaterThan(0);
    expect(partitions.slice(0, 5)).not.toContain(failing);
  });

  it('leaves when nothing is in hand', async () => {
    const bus = await open();
    const topic = await topicOf(bus);
    const { got, group, stop, done } = follow(bus, topic);
    await bus.publish(topic, [messageOf('key')]);
    await eventually(() => expect(got).toHaveLength(1), DEADLINE);
    stop.abort();
    await done;
    // It has left: nobody has to wait until its session ends.
    await bus.rewind(group, [topic]);
  });

  it('says whether it is well', async () => {
    const bus = await open();
    expect(bus.health()).toEqual({ ok: true, detail: '' });
    const topic = await topicOf(bus);
    const { stop, done } = follow(bus, topic);
    await eventually(() => expect(bus.health()).toEqual({ ok: true, detail: '' }), DEADLINE);
    stop.abort();
    await done;
    expect(bus.health()).toEqual({ ok: true, detail: '' });
  });

  it('is told when Kafka refuses it for good', async () => {
    const bus = await open({ pace: { heartbeatMs: 100, sessionMs: 500 } });
    const topic = await topicOf(bus);
    const { done, group } = follow(bus, topic);
    await expect(done).rejects.toThrow(/ended the member .* for good: .*session timeout/i);
    expect(bus.health()).toEqual({ ok: false, detail: expect.stringContaining(group) });
  });

  it('gets what is no CloudEvent too', async () => {
    const bus = await open();
    const topic = await topicOf(bus, 1);
    const producer = raw().producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    await producer.send({
      topic,
      messages: [{ value: Buffer.from([0xff, 0x00]) }, { value: null }],
    });
    await producer.disconnect();
    const fine = messageOf('key');
    await bus.publish(topic, [fine]);
    const messages: unknown[] = [];
    follow(bus, topic, { handle: ({ message }) => void messages.push(message) });
    await eventually(() => expect(messages).toHaveLength(3), DEADLINE);
    expect(messages[0]).toMatchObject({ data_base64: '/wA=' });
    expect(messages).toContainEqual(fine);
  });

  it('writes nothing to the console, and lets its process end', async () => {
    const script = new URL('./visitor.script.suite.ts', import.meta.url);
    const visitor = runScript(script, { args: [brokers.join(',')] });
    await visitor.line(/^consumed/);
    visitor.say('go on');
    expect(await visitor.exited).toEqual({ code: 0, signal: null });
    const said = ['consumed', 'published', 'closed, 0 timers left'];
    expect([visitor.lines(), visitor.errors()]).toEqual([said, '']);
  });
});

lane('a Kafka topic', await missingKafka(), () => {
  let brokers: readonly string[];
  const { open, close } = visit(() => brokers);
  beforeAll(async () => {
    brokers = await testBrokers();
  }, 120_000);
  afterEach(close);
  const withAdmin = async <T>(work: (admin: ReturnType<Kafka['admin']>) => Promise<T>) => {
    const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    return work(admin).finally(() => admin.disconnect());
  };

  it('is made with partitions, retention and room for the largest message', async () => {
    const topic = unique('topic');
    const bus = await open({ topics: { retentionMs: 3_600_000 } });
    await bus.ensureTopic(topic, 3);
    const { resources } = await withAdmin((admin) =>
      admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
      }),
    );
    const settings = resources[0]?.configEntries.map(({ configName, configValue }) => [
      configName,
      configValue,
    ]);
    expect(Object.fromEntries(settings ?? [])).toMatchObject({
      'cleanup.policy': 'delete',
      'max.message.bytes': '2097152',
      'min.insync.replicas': '1',
      'retention.ms': '3600000',
    });
  });

  it('is kept for ever unless told otherwise', async () => {
    const topic = unique('topic');
    await (await open()).ensureTopic(topic, 1);
    const { resources } = await withAdmin((admin) =>
      admin.describeConfigs({
        includeSynonyms: false,
        resources: [
          { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: ['retention.ms'] },
        ],
      }),
    );
    expect(resources[0]?.configEntries[0]?.configValue).toBe('-1');
  });

  it('is made once, although several make it at a time', async () => {
    const buses = [await open(), await open(), await open()];
    const topic = unique('topic');
    await Promise.all(buses.map((bus) => bus.ensureTopic(topic, 2)));
    await expect(buses[0]?.ensureTopic(topic, 2)).resolves.toBeUndefined();
  });

  it('is refused when somebody made it too narrow for our messages', async () => {
    const topic = unique('topic');
    const topics = [{ topic, numPartitions: 2 }];
    await withAdmin((admin) => admin.createTopics({ topics, waitForLeaders: false }));
    const bus = await open();
    await expect(bus.ensureTopic(topic, 2)).rejects.toThrow(
      new RegExp(`${topic}: max.message.bytes is 1048588 and must be at least 2097152`),
    );
  });

  it.each(['compact', 'compact,delete'])(
    'is refused when somebody made it forget messages (%s)',
    async (policy) => {
      const topic = unique('topic');
      const entries = { 'cleanup.policy': policy, 'max.message.bytes': '2097152' };
      const configEntries = Object.entries(entries).map(([name, value]) => ({ name, value }));
      const topics = [{ topic, numPartitions: 2, configEntries }];
      await withAdmin((admin) => admin.createTopics({ topics, waitForLeaders: false }));
      const bus = await open();
      await expect(bus.ensureTopic(topic, 2)).rejects.toThrow(
        `Topic ${topic}: cleanup.policy is ${policy} and must be delete.`,
      );
    },
  );

  it('is left as it is when it keeps messages for another time, and somebody is told', async () => {
    const topic = unique('topic');
    await (await open({ topics: { retentionMs: 3_600_000 } })).ensureTopic(topic, 1);
    const lines: unknown[] = [];
    const log = { ...silentLog, warn: (fields: unknown) => void lines.push(fields) };
    await (await open({ topics: { retentionMs: 7_200_000 }, log })).ensureTopic(topic, 1);
    expect(lines).toEqual([{ topic, found: 3_600_000, configured: 7_200_000 }]);
  });

  it('takes more in one call than fits into one request', async () => {
    const bus = await open();
    const topic = unique('topic');
    await bus.ensureTopic(topic, 2);
    const messages = keysOf(40).map((key) => messageOf(key, 'x'.repeat(1_000_000)));
    await bus.publish(topic, messages);
    expect(await bus.lag(unique('group'), [topic])).toBe(40n);
  });

  it('cannot be asked for where no broker is', async () => {
    const nowhere = openKafkaBus({ brokers: ['127.0.0.1:1'], askMs: 1_500 });
    await expect(nowhere).rejects.toThrow(/ECONNREFUSED/);
  });
});
