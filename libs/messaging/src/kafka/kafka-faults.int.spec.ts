import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { eventually, runScript } from '@patchtrail/testing';
import { missingOwnKafka } from '@patchtrail/testing/kafka';
import { lane } from '@patchtrail/testing/lane';
import type { Delivery } from '../bus.js';
import { keysOf, messageOf, unique } from '../test-messages.suite.js';
import { type RunningKafka, startKafka } from './broker/start-kafka.js';
import { visit } from './kafka.suite.js';
import type { KafkaBus } from './kafka-bus.js';

const DEADLINE = { deadlineMs: 30_000 };
const PUBLISH_MS = 1_000;
/** Before the client's own patience with a silent broker ends. */
const LATE_MS = 9_000;

lane('a Kafka broker in trouble', await missingOwnKafka(), () => {
  let kafka: RunningKafka;
  const { open, follow, close } = visit(() => kafka.brokers);
  beforeAll(async () => {
    kafka = await startKafka();
  }, 120_000);
  afterEach(close);
  afterAll(() => kafka.stop());

  const topicOf = async (bus: KafkaBus, partitions = 4) => {
    const topic = unique('topic');
    await bus.ensureTopic(topic, partitions);
    return topic;
  };
  /** Runs the work while the broker hangs, with its connections open. */
  const whileHanging = async (work: () => Promise<void>) => {
    await kafka.suspend();
    await work().finally(() => kafka.resume());
  };

  it('loses nothing that was acknowledged when it is killed and comes back', async () => {
    const [publisher, consumer] = [await open(), await open()];
    const topic = await topicOf(publisher);
    const seen: Delivery[] = [];
    follow(consumer, topic, { handle: (delivery) => void seen.push(delivery) });
    const acknowledged: string[] = [];
    let rounds = 0;
    const keys = keysOf(8);
    const over = new AbortController();
    const publishing = (async () => {
      while (!over.signal.aborted) {
        const messages = keys.map((key) => messageOf(key, { n: rounds }));
        await publisher.publish(topic, messages);
        acknowledged.push(...messages.map(({ id }) => id));
        rounds += 1;
      }
    })();
    await eventually(() => expect(rounds).toBeGreaterThan(20), DEADLINE);
    await kafka.kill();
    const before = rounds;
    await kafka.restart();
    await eventually(() => expect(rounds).toBeGreaterThan(before + 20), DEADLINE);
    over.abort();
    await publishing;
    const got = () => new Set(seen.map(({ message }) => message.id));
    const missing = () => acknowledged.filter((id) => !got().has(id));
    await eventually(() => expect(missing()).toEqual([]), DEADLINE);
    for (const key of keys) {
      const ofKey = seen.filter(({ message }) => message.partitionkey === key);
      const firsts = [...new Map(ofKey.toReversed().map((one) => [one.message.id, one])).values()];
      const numbers = firsts
        .toSorted((a, b) => Number(a.offset - b.offset))
        .map(({ message }) => (message.data as { n: number }).n);
      expect(numbers).toEqual(Array.from({ length: rounds }, (_, n) => n));
    }
  }, 90_000);

  it('makes a publication fail at its deadline, with an outcome that is unknown', async () => {
    const bus = await open({ publishMs: PUBLISH_MS });
    const topic = await topicOf(bus);
    const message = messageOf('key');
    await eventually(() => bus.publish(topic, [message]), DEADLINE);
    await whileHanging(async () => {
      const began = performance.now();
      const publications = [1, 2, 3].map(() => bus.publish(topic, [messageOf('key')]));
      for (const settled of await Promise.allSettled(publications)) {
        const reason = expect.objectContaining({
          message: expect.stringMatching(/^It is unknown whether .*, publish them again: /),
        });
        expect(settled).toEqual({ status: 'rejected', reason });
      }
      expect(performance.now() - began).toBeLessThan(LATE_MS);
      expect(bus.health()).toEqual({ ok: false, detail: expect.stringContaining('unknown') });
    });
    await eventually(() => bus.publish(topic, [message]), DEADLINE);
    expect(bus.health().ok).toBe(true);
  }, 60_000);

  it('keeps nobody from leaving', async () => {
    const bus = await open({ publishMs: PUBLISH_MS, pace: { leaveMs: 500 } });
    const topic = await topicOf(bus);
    const { got, stop, done } = follow(bus, topic);
    await eventually(() => bus.publish(topic, [messageOf('key')]), DEADLINE);
    await eventually(() => expect(got.length).toBeGreaterThan(0), DEADLINE);
    await whileHanging(async () => {
      const began = performance.now();
      stop.abort();
      await done;
      await bus.close();
      expect(performance.now() - began).toBeLessThan(15_000);
    });
  }, 60_000);

  it.each(['hangs', 'is gone'])(
    'keeps no process alive that has given up, whether it %s',
    async (how) => {
      const script = new URL('./visitor.script.suite.ts', import.meta.url);
      const visitor = runScript(script, { args: [kafka.brokers.join(',')] });
      await visitor.line(/^consumed/);
      if (how === 'hangs') await kafka.suspend();
      else await kafka.kill();
      try {
        visitor.say('go on');
        await visitor.line(/^failed: Error: It is unknown/);
        expect(await visitor.exited).toEqual({ code: 0, signal: null });
      } finally {
        if (how === 'hangs') kafka.resume();
        else await kafka.restart();
      }
      expect(visitor.lines()).toContain('closed, 0 timers left');
      expect(visitor.errors()).toBe('');
    },
    90_000,
  );

  it('is waited for by its members, who say so', async () => {
    const bus = await open({ pace: { reconnectMsMax: 200 } });
    const topic = await topicOf(bus);
    const { got, group } = follow(bus, topic);
    await bus.publish(topic, [messageOf('key')]);
    await eventually(() => expect(got).toHaveLength(1), DEADLINE);
    await eventually(async () => expect(await bus.lag(group, [topic])).toBe(0n), DEADLINE);
    await kafka.kill();
    await eventually(() => expect(bus.health().detail).toContain(group), DEADLINE);
    await kafka.restart();
    await eventually(() => expect(bus.health().ok).toBe(true), DEADLINE);
    await bus.publish(topic, [messageOf('key')]);
    await eventually(() => expect(got).toHaveLength(2), DEADLINE);
  }, 90_000);
});
