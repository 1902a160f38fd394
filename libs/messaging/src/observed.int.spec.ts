import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DomainError } from '@patchtrail/event-sourcing';
import { inSpan, newTraceparent, parseTraceparent } from '@patchtrail/telemetry';
import {
  collectOwn,
  type CollectedSpan,
  type OwnTelemetry,
  sampleOf,
} from '@patchtrail/telemetry/collector';
import { eventually, silentLog } from '@patchtrail/testing';
import { type Apply, BusRefusal, consume, type ConsumeOptions, replayParked } from './index.js';
import { openStage, Sent, type Stage } from './messaging.suite.js';
import { messageOf } from './test-messages.suite.js';

const GROUP = 'spec.observed';

let stage: Stage;
let telemetry: OwnTelemetry;
let stop: AbortController;
const running: Promise<void>[] = [];
beforeEach(async () => {
  stage = await openStage();
  telemetry = await collectOwn();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await Promise.all(running.splice(0));
  await telemetry.stop();
  await stage.close();
});

const consuming = (apply: Apply = stage.effect, change: Partial<ConsumeOptions> = {}) => {
  const { db, bus } = stage;
  const options = { db, bus, group: GROUP, topics: [Sent.topic], apply, log: silentLog };
  running.push(consume({ ...options, signal: stop.signal, ...change }).done);
};
const untilEffects = (count: number) =>
  eventually(async () => expect(await stage.effects()).toHaveLength(count));

function named(spans: readonly CollectedSpan[], name: string): readonly CollectedSpan[] {
  return spans.filter((span) => span.name === `${name}${Sent.topic}` || span.name === name);
}

const idsOf = (spans: readonly CollectedSpan[]) =>
  spans.map(({ traceId, spanId }) => ({ traceId, spanId }));

describe('a message of the outbox', () => {
  it('is linked from the request that wrote it through the relay to its consumer', async () => {
    await inSpan('request', { kind: 'server', parent: null }, () => stage.send('a', 'one', 'two'));
    consuming();
    running.push(stage.relay(stop.signal));
    await untilEffects(2);
    const spans = await telemetry.stop();
    const [request] = idsOf(named(spans, 'request'));
    const created = named(spans, 'create ');
    const [send, ...more] = named(spans, 'send ');
    const processed = named(spans, 'process ');
    expect(more).toEqual([]);
    expect(created.map(({ links }) => links)).toMatchObject([[request], [request]]);
    expect(send?.links).toMatchObject(idsOf(created));
    expect(processed.map(({ links }) => links)).toMatchObject(idsOf(created).map((id) => [id]));
    expect(new Set(processed.map(({ traceId }) => traceId)).size).toBe(2);
    expect(processed.map(({ parentSpanId }) => parentSpanId)).toEqual([null, null]);
    const told = Object.fromEntries(processed[0]?.attributes ?? []);
    expect(told).toMatchObject({
      'messaging.system': 'postgresql',
      'messaging.destination.name': Sent.topic,
      'messaging.consumer.group.name': GROUP,
      'messaging.operation.type': 'process',
      'cloudevents.event_type': Sent.type,
    });
  });

  it('is counted while it waits', async () => {
    await stage.send('a', 'one', 'two', 'three');
    const held = { publish: () => Promise.reject(new Error('The bus is away.')) };
    running.push(stage.relay(stop.signal, held));
    const text = await telemetry.scrape();
    const of = { 'patchtrail.relay.name': 'spec' };
    expect(sampleOf(text, 'patchtrail.outbox.lag.messages', of)).toBe(3);
    expect(sampleOf(text, 'patchtrail.outbox.lag.age', of)).toBeGreaterThan(0);
    const parked = { 'patchtrail.parked.by': 'outbox.spec' };
    expect(sampleOf(text, 'patchtrail.parked.keys', parked)).toBe(0);
  });
});

describe('a message that is published alone', () => {
  it('carries the span of its publication to its consumer', async () => {
    const stored = newTraceparent();
    await inSpan('react', { kind: 'consumer', parent: null, links: [stored] }, () =>
      stage.bus.publish(Sent.topic, [{ ...messageOf('a'), traceparent: stored }]),
    );
    const got: unknown[] = [];
    const handle = ({ message }: { message: { traceparent: string } }) =>
      Promise.resolve(void got.push(parseTraceparent(message.traceparent)));
    const signal = stop.signal;
    running.push(stage.bus.run({ group: GROUP, topics: [Sent.topic], signal, handle }));
    await eventually(() => expect(got).toHaveLength(1));
    const text = await telemetry.scrape();
    const spans = await telemetry.stop();
    const [react] = named(spans, 'react');
    const [send] = named(spans, 'send ');
    expect(send).toMatchObject({ traceId: react?.traceId, parentSpanId: react?.spanId });
    expect(got).toMatchObject(idsOf([send!]));
    expect(named(spans, 'process ')[0]?.links).toMatchObject(idsOf([send!]));
    const of = { 'messaging.destination.name': Sent.topic };
    expect(sampleOf(text, 'messaging.client.sent.messages.total', of)).toBe(1);
    expect(sampleOf(text, 'messaging.client.operation.duration.count', of)).toBe(1);
    expect(sampleOf(text, 'messaging.process.duration.count', of)).toBe(1);
    expect(text).not.toContain(stored);
  });

  it('is refused as ever, and the span says so', async () => {
    const malformed = { ...messageOf('a'), traceparent: undefined, subject: undefined };
    // @ts-expect-error: what a caller without types may do.
    const publishing = stage.bus.publish(Sent.topic, [malformed]);
    await expect(publishing).rejects.toThrow(BusRefusal);
    await expect(stage.bus.publish('nowhere', [messageOf('a')])).rejects.toThrow('unknown-topic');
    const spans = await telemetry.stop();
    expect(named(spans, 'send nowhere')[0]?.failure).toBe('BusRefusal');
  });

  it('stays as it is where nothing is traced', async () => {
    await telemetry.stop();
    const message = { ...messageOf('a'), traceparent: newTraceparent() };
    await stage.bus.publish(Sent.topic, [message]);
    const got: unknown[] = [];
    const handle = ({ message: one }: { message: unknown }) => Promise.resolve(void got.push(one));
    const { signal } = stop;
    running.push(stage.bus.run({ group: GROUP, topics: [Sent.topic], signal, handle }));
    await eventually(() => expect(got).toEqual([message]));
  });
});

describe('a consumer', () => {
  it('tells duplicates, refusals and what it has parked', async () => {
    let isBroken = true;
    const apply: Apply = async (tx, message) => {
      if (message.partitionkey === 'refused') throw new DomainError('no');
      if (message.partitionkey === 'broken' && isBroken) throw new Error('broken');
      await stage.effect(tx, message);
    };
    consuming(apply, { retryDelaysMs: [] });
    await stage.send('refused', 'one');
    await stage.send('broken', 'one', 'two');
    await stage.send('fine', 'one');
    const twice = { ...stage.bus };
    twice.publish = async (topic, messages) => {
      await stage.bus.publish(topic, messages);
      await stage.bus.publish(topic, messages);
    };
    running.push(stage.relay(stop.signal, twice));
    await untilEffects(1);
    const of = { 'messaging.consumer.group.name': GROUP };
    const by = { 'patchtrail.parked.by': GROUP };
    await eventually(async () => {
      const text = await telemetry.scrape();
      expect(sampleOf(text, 'patchtrail.inbox.duplicates.total', of)).toBe(4);
      expect(sampleOf(text, 'patchtrail.inbox.refusals.total', of)).toBe(1);
      expect(sampleOf(text, 'patchtrail.parked.keys', by)).toBe(1);
    });
    isBroken = false;
    await replayParked({ db: stage.db, group: GROUP, key: 'broken', apply });
    expect(sampleOf(await telemetry.scrape(), 'patchtrail.parked.keys', by)).toBe(0);
  });

  it('tells its lag of each partition', async () => {
    let isHeld = true;
    consuming(async (tx, message) => {
      await eventually(() => expect(isHeld).toBe(false));
      await stage.effect(tx, message);
    });
    const messages = Array.from({ length: 3 }, () => messageOf('a'));
    await stage.bus.publish(Sent.topic, messages);
    const of = { 'messaging.consumer.group.name': GROUP, 'messaging.destination.name': Sent.topic };
    const lag = async (partition?: number) =>
      sampleOf(await telemetry.scrape(), 'patchtrail.consumer.lag', {
        ...of,
        ...(partition === undefined
          ? {}
          : { 'messaging.destination.partition.id': String(partition) }),
      });
    expect(await lag()).toBe(3);
    const each = await Promise.all([0, 1, 2, 3].map((partition) => lag(partition)));
    expect(each.toSorted()).toEqual([0, 0, 0, 3]);
    isHeld = false;
    await untilEffects(3);
    await eventually(async () => expect(await lag()).toBe(0));
  });
});
