import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { eventually } from '@patchtrail/testing';
import { missingOwnKafka } from '@patchtrail/testing/kafka';
import { lane } from '@patchtrail/testing/lane';
import { messageOf, unique } from '../test-messages.suite.js';
import { type RunningKafka, startKafka } from './broker/start-kafka.js';
import { openSilentWay, type SilentWay } from './half-open.suite.js';
import { visit } from './kafka.suite.js';
import type { KafkaBus } from './kafka-bus.js';

const PUBLISH_MS = 1_000;
/** Before the client's own patience with a silent broker ends. */
const LATE_MS = 9_000;
/** A request that nobody answers is given up after 10 s, then the member joins over a new connection. */
const NOTICED = { deadlineMs: 40_000 };
const AWAY_MS = 20_000;
const OFFSET_COMMIT = 8;

lane('a way to Kafka that falls silent', await missingOwnKafka(), () => {
  let kafka: RunningKafka;
  let way: SilentWay;
  const { open, follow, close } = visit(() => [way.address]);
  beforeAll(async () => {
    way = await openSilentWay();
    kafka = await startKafka({ advertised: way.address });
    const [broker = ''] = kafka.brokers;
    way.leadTo(broker);
  }, 120_000);
  afterEach(async () => {
    way.speak();
    await close();
  });
  afterAll(async () => {
    await kafka.stop();
    await way.close();
  });

  const topicOf = async (bus: KafkaBus) => {
    const topic = unique('topic');
    await bus.ensureTopic(topic, 2);
    return topic;
  };

  it('lets a publication fail at its deadline, and the next one through', async () => {
    const bus = await open({ publishMs: PUBLISH_MS });
    const topic = await topicOf(bus);
    const publish = () => bus.publish(topic, [messageOf('key')]);
    await eventually(publish, NOTICED);
    way.silence('these');
    const began = performance.now();
    await expect(publish()).rejects.toThrow(/has not ended within \d+ ms/);
    expect(performance.now() - began).toBeLessThan(LATE_MS);
    // Over a connection of its own: the silent one is still open.
    await eventually(publish, { deadlineMs: LATE_MS });
    expect(bus.health()).toEqual({ ok: true, detail: '' });
  }, 60_000);

  it('lets questions fail at their deadline', async () => {
    const topic = await topicOf(await open());
    const bus = await eventually(() => open({ askMs: PUBLISH_MS }), NOTICED);
    const lag = () => bus.lag('group', [topic]);
    await eventually(lag, NOTICED);
    way.silence('all');
    const began = performance.now();
    await expect(lag()).rejects.toThrow(/has not (ended within|answered)/);
    expect(performance.now() - began).toBeLessThan(LATE_MS);
  }, 60_000);

  it('is noticed by a member, who joins again over another one', async () => {
    const bus = await open({ pace: { sessionMs: 3_000 } });
    const topic = await topicOf(bus);
    const { got } = follow(bus, topic);
    await bus.publish(topic, [messageOf('key')]);
    await eventually(() => expect(got).toHaveLength(1), NOTICED);
    way.silence('these');
    const later = messageOf('key');
    await eventually(() => bus.publish(topic, [later]), NOTICED);
    await eventually(() => expect(got).toContain(later.id), NOTICED);
    await eventually(() => expect(bus.health()).toEqual({ ok: true, detail: '' }), NOTICED);
  }, 120_000);

  it('is said by the health while it lasts, and forgotten when it speaks again', async () => {
    const bus = await open({ pace: { sessionMs: 3_000, reconnectMsMax: 500 } });
    const topic = await topicOf(bus);
    const { got, group } = follow(bus, topic);
    await bus.publish(topic, [messageOf('key')]);
    await eventually(() => expect(got).toHaveLength(1), NOTICED);
    way.silence('all');
    await eventually(() => expect(bus.health().detail).toContain(group), NOTICED);
    way.speak();
    await eventually(() => bus.publish(topic, [messageOf('key')]), NOTICED);
    await eventually(() => expect(got.length).toBeGreaterThan(1), NOTICED);
    expect(bus.health()).toEqual({ ok: true, detail: '' });
  }, 120_000);

  it('leaves nothing uncommitted where it ends just when that is committed', async () => {
    const bus = await open();
    const topic = await topicOf(bus);
    const { got, group } = follow(bus, topic);
    await bus.publish(topic, [messageOf('key')]);
    const isCommitted = async () => expect(await bus.lag(group, [topic])).toBe(0n);
    await eventually(isCommitted, NOTICED);
    way.cutAt(OFFSET_COMMIT);
    const later = messageOf('key');
    await bus.publish(topic, [later]);
    await eventually(() => expect(way.isToCut()).toBe(false), NOTICED);
    await eventually(isCommitted, NOTICED);
    expect(got).toContain(later.id);
  }, 120_000);

  it('leads to a broker that was gone for 20 s, without anybody starting again', async () => {
    const bus = await open();
    const topic = await topicOf(bus);
    const follower = follow(bus, topic);
    await bus.publish(topic, [messageOf('key')]);
    await eventually(() => expect(follower.got).toHaveLength(1), NOTICED);
    let hasEnded = false;
    follower.done.finally(() => (hasEnded = true)).catch(() => undefined);
    await kafka.kill();
    const killedAt = performance.now();
    // It is about the clock: longer than sessions, requests and their retries last.
    const passed = () => expect(performance.now() - killedAt).toBeGreaterThan(AWAY_MS);
    await eventually(passed, { deadlineMs: 2 * AWAY_MS });
    expect([bus.health().ok, hasEnded]).toEqual([false, false]);
    await kafka.restart();
    const later = messageOf('key');
    await eventually(() => bus.publish(topic, [later]), NOTICED);
    await eventually(() => expect(follower.got).toContain(later.id), NOTICED);
    expect([bus.health().ok, hasEnded]).toEqual([true, false]);
  }, 180_000);
});
