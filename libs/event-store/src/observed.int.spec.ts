/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DomainError } from '@patchtrail/event-sourcing';
import type { Database } from '@patchtrail/postgres';
import { newTraceparent, parseTraceparent, traceIdOf } from '@patchtrail/telemetry';
import {
  collectOwn,
  type CollectedSpan,
  type OwnTelemetry,
  sampleOf,
} from '@patchtrail/telemetry/collector';
import { eventually, silentLog } from '@patchtrail/testing';
import { add, contextOf, counterStream } from './counter.suite.js';
import { openFreshDatabase, openFreshStore, type OpenedStore } from './databases.suite.js';
import type { EventStore, StoredEvent } from './event-store.js';
import { projectTimer, runTimers } from './follow/timers.js';
import { runProjection } from './follow/projection.js';
import { replayParkedEvents } from './follow/parked-events.js';
import { runReaction } from './follow/reaction.js';
import { handle } from './handle.js';
import { commandIdFrom } from './ids.js';
import { createStateCache } from './state-cache.js';
import { freshPrefix, metadata } from './test-events.suite.js';

const id = (text: string) => commandIdFrom('observed', text);

let opened: OpenedStore;
let store: EventStore;
let telemetry: OwnTelemetry;
let prefix: string;
let category: string;
beforeAll(async () => {
  opened = await openFreshStore();
  ({ store } = opened);
});
afterAll(() => opened.close());
beforeEach(async () => {
  telemetry = await collectOwn();
  prefix = freshPrefix();
  category = prefix.slice(0, -1);
});
afterEach(() => telemetry.stop());

const order = (name: string, command = add(1), commandId = id(name), traceparent?: string) => {
  const context = contextOf(commandId);
  return handle(counterStream(store), `${prefix}${name}`, command, {
    ...context,
    traceparent: traceparent ?? context.traceparent,
  });
};

function named(spans: readonly CollectedSpan[], name: string): readonly CollectedSpan[] {
  return spans.filter((span) => span.name === name);
}

function oneNamed(spans: readonly CollectedSpan[], name: string): CollectedSpan {
  const [only] = named(spans, name);
  if (only === undefined) throw new Error(`There is no span ${name}.`);
  return only;
}

function contextIn(traceparent: string | undefined) {
  const parsed = parseTraceparent(traceparent ?? '');
  return { traceId: parsed?.traceId, spanId: parsed?.spanId };
}

describe('a command', () => {
  it('is a span of the caller, and its events carry that span', async () => {
    const caller = newTraceparent();
    await order('a', add(1), id('a'), caller);
    const [event] = await store.read(`${prefix}a`);
    const spans = await telemetry.stop();
    const command = oneNamed(spans, `handle ${category}`);
    const append = oneNamed(spans, `append ${category}`);
    expect(command.traceId).toBe(traceIdOf(caller));
    expect(command.parentSpanId).toBe(contextIn(caller).spanId);
    expect(contextIn(event?.metadata.traceparent)).toEqual({
      traceId: command.traceId,
      spanId: command.spanId,
    });
    expect(append).toMatchObject({ traceId: command.traceId, parentSpanId: command.spanId });
    expect(append.attributes.get('db.system.name')).toBe('postgresql');
    expect(command.attributes.get('patchtrail.stream.category')).toBe(category);
    expect(command.attributes.get('patchtrail.command.type')).toBe('Add');
    expect(command.attributes.get('patchtrail.command.retries')).toBe('0');
  });

  it('links to the event that it was decided on, if that is of another trace', async () => {
    const [first, second] = [newTraceparent(), newTraceparent()];
    const stream = { ...counterStream(store), cache: createStateCache<number>() };
    for (const [n, traceparent] of [first, first, second, second].entries()) {
      const context = { ...contextOf(id(`link ${String(n)}`)), traceparent };
      await handle(n < 2 ? counterStream(store) : stream, `${prefix}a`, add(1), context);
    }
    const commands = named(await telemetry.stop(), `handle ${category}`);
    const { traceId, spanId } = commands[1]!;
    expect(commands.map(({ links }) => links)).toMatchObject([[], [], [{ traceId, spanId }], []]);
  });

  it('tells what became of it, and how often it was tried', async () => {
    await order('a');
    await order('a');
    await order('a', add(0), id('nothing'));
    await expect(order('a', add(-1), id('refused'))).rejects.toThrow(DomainError);
    await Promise.all([1, 2].map((n) => order('race', add(1), id(`race ${String(n)}`))));
    const expected = handle(counterStream(store), `${prefix}a`, add(1), contextOf(id('late')), {
      expected: 7,
    });
    await expect(expected).rejects.toThrow('7');
    const text = await telemetry.scrape();
    const times = (result: string, more = {}) =>
      sampleOf(text, 'patchtrail.command.duration.count', {
        ...{ 'patchtrail.stream.category': category, 'patchtrail.command.result': result },
        ...more,
      });
    const spans = named(await telemetry.stop(), `handle ${category}`);
    const results = spans.map(({ attributes }) => attributes.get('patchtrail.command.result'));
    const wanted = ['appended', 'repeated', 'unchanged', 'refused', 'appended', 'appended'];
    expect(results).toEqual([...wanted, 'conflict']);
    expect(spans.map(({ failure }) => failure)).toEqual(results.map(() => null));
    const retries = spans.map(({ attributes }) => attributes.get('patchtrail.command.retries'));
    expect(retries.toSorted().at(-1)).toBe('1');
    expect(times('appended')).toBe(3);
    expect(times('refused', { 'error.type': 'negative' })).toBe(1);
    expect(text).not.toContain(`${prefix}a`);
  });

  it('shows how many appends shared a transaction, and how long they took', async () => {
    const all = Array.from({ length: 12 }, (_, n) => order(`many${String(n)}`));
    await Promise.all(all);
    const text = await telemetry.scrape();
    expect(sampleOf(text, 'patchtrail.append.group.size.sum')).toBe(12);
    expect(sampleOf(text, 'patchtrail.append.group.size.count')).toBeLessThan(12);
    const appends = { 'db.operation.name': 'append', 'db.collection.name': category };
    expect(sampleOf(text, 'db.client.operation.duration.count', appends)).toBe(12);
  });

  it('leaves the context as it came where nothing is traced', async () => {
    await telemetry.stop();
    await order('a');
    const [event] = await store.read(`${prefix}a`);
    expect(event?.metadata.traceparent).toBe(metadata.traceparent);
  });
});

describe('what follows from an event', () => {
  let db: Database;
  let close: () => Promise<void>;
  let stop: AbortController;
  const running: { done: Promise<void> }[] = [];
  beforeEach(async () => {
    stop = new AbortController();
    ({ db, close } = await openFreshDatabase());
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(running.splice(0).map(({ done }) => done));
    await close();
  });
  const followed = (name: string) => {
    return { store, db, name, prefixes: [prefix], signal: stop.signal, log: silentLog };
  };

  it('is a trace that links to the one of the event, with what it does inside', async () => {
    const react = async ({ metadata: { traceparent } }: StoredEvent) => {
      const context = { ...contextOf(id('second')), traceparent };
      await handle(counterStream(store), `other${prefix}b`, add(1), context);
    };
    const reaction = runReaction({ ...followed('spec.react'), react });
    running.push(reaction);
    await order('a');
    await eventually(async () => expect(await reaction.reachedHead(1_000)).toBe(true));
    const spans = await telemetry.stop();
    const [cause] = named(spans, `handle ${category}`);
    const [reacted] = named(spans, 'react spec.react');
    const [effect] = named(spans, `handle other${category}`);
    expect(reacted?.links).toMatchObject([{ traceId: cause?.traceId, spanId: cause?.spanId }]);
    expect(reacted?.parentSpanId).toBeNull();
    expect(reacted?.traceId).not.toBe(cause?.traceId);
    expect(reacted?.attributes.get('patchtrail.reaction.result')).toBe('acted');
    expect(effect).toMatchObject({ traceId: reacted?.traceId, parentSpanId: reacted?.spanId });
  });

  it('is a trace for each event that is taken with others, which goes on from it', async () => {
    let isRefused = true;
    const got: StoredEvent[] = [];
    const reactTogether = (events: readonly StoredEvent[]) => {
      got.push(...events);
      return isRefused ? Promise.reject(new Error('refused')) : Promise.resolve();
    };
    const react = () => {
      isRefused = false;
      return Promise.resolve();
    };
    await order('a');
    await order('b');
    const start = (name: string) => {
      const reaction = runReaction({ ...followed(name), react, reactTogether });
      running.push(reaction);
      return eventually(async () => expect(await reaction.reachedHead(1_000)).toBe(true));
    };
    await start('spec.failing');
    got.length = 0;
    await start('spec.together');
    const text = await telemetry.scrape();
    const spans = await telemetry.stop();
    const causes = named(spans, `handle ${category}`).map(({ traceId, spanId }) => {
      return { traceId, spanId };
    });
    const reacted = named(spans, 'react spec.together');
    expect(reacted.map(({ links }) => links)).toMatchObject(causes.map((cause) => [cause]));
    expect(got.map(({ metadata: { traceparent } }) => traceIdOf(traceparent))).toEqual(
      reacted.map(({ traceId }) => traceId),
    );
    const results = (name: string) =>
      named(spans, name).map(({ attributes }) => attributes.get('patchtrail.reaction.result'));
    expect(results('react spec.together')).toEqual(['acted', 'acted']);
    expect(results('react spec.failing')).toEqual(['failed', 'failed', 'acted', 'acted']);
    const of = { 'patchtrail.subscription.name': 'spec.together' };
    expect(sampleOf(text, 'patchtrail.reaction.duration.count', of)).toBe(2);
  });

  it('shows lag and what is parked, then none', async () => {
    let isBroken = true;
    const react = () => (isBroken ? Promise.reject(new Error('broken')) : Promise.resolve());
    const judge = () => 'hopeless' as const;
    await order('a');
    await order('b');
    const reaction = runReaction({ ...followed('spec.parking'), react, judge });
    running.push(reaction);
    await eventually(async () => expect(await reaction.reachedHead(1_000)).toBe(true));
    const by = { 'patchtrail.parked.by': 'spec.parking' };
    expect(sampleOf(await telemetry.scrape(), 'patchtrail.parked.keys', by)).toBe(2);
    isBroken = false;
    for (const stream of ['a', 'b'].map((name) => `${prefix}${name}`)) {
      await replayParkedEvents({ store, db, name: 'spec.parking', stream, react });
    }
    const text = await telemetry.scrape();
    expect(sampleOf(text, 'patchtrail.parked.keys', by)).toBe(0);
    const of = { 'patchtrail.subscription.name': 'spec.parking' };
    expect(sampleOf(text, 'patchtrail.subscription.lag.events', of)).toBe(0);
    const parked = { ...of, 'patchtrail.reaction.result': 'parked' };
    expect(sampleOf(text, 'patchtrail.reaction.duration.count', parked)).toBe(2);
    const results = named(await telemetry.stop(), 'react spec.parking').map(({ attributes }) =>
      attributes.get('patchtrail.reaction.result'),
    );
    expect(results).toEqual(['parked', 'parked', 'acted', 'acted']);
  });

  it('shows how far a projection is behind, and its batches with links to every event', async () => {
    let isHeld = true;
    const apply = () => (isHeld ? Promise.reject(new Error('held')) : Promise.resolve());
    await order('a');
    await order('b');
    const projection = runProjection({ ...followed('spec.rows'), apply });
    running.push(projection);
    await eventually(() => expect(projection.lastError()).toContain('held'));
    const of = { 'patchtrail.subscription.name': 'spec.rows' };
    const behind = await telemetry.scrape();
    expect(sampleOf(behind, 'patchtrail.subscription.lag.events', of)).toBe(2);
    expect(sampleOf(behind, 'patchtrail.subscription.lag.age', of)).toBeGreaterThan(0);
    isHeld = false;
    await eventually(async () => expect(await projection.reachedHead(1_000)).toBe(true));
    const caughtUp = await telemetry.scrape();
    expect(sampleOf(caughtUp, 'patchtrail.subscription.lag.events', of)).toBe(0);
    const spans = await telemetry.stop();
    const causes = named(spans, `handle ${category}`).map(({ traceId, spanId }) => {
      return { traceId, spanId };
    });
    const applied = named(spans, 'project spec.rows');
    expect(applied.at(-1)?.links).toMatchObject(causes);
    expect(applied[0]?.failure).toBe('Error');
  });

  it('is a timer too, which tells how late it is', async () => {
    const due = new Date(Date.now() - 60_000).toISOString();
    const data = { timerId: 't', dueAt: due, purpose: 'bake', generation: 1 };
    const traceparent = newTraceparent();
    const apply = projectTimer;
    const projection = runProjection({ ...followed('spec.timers'), apply });
    running.push(projection);
    const event = { id: id('timer'), type: 'TimerScheduled', data };
    await store.append(`${prefix}a`, 'no-stream', [
      { ...event, metadata: { ...metadata, traceparent } },
    ]);
    await eventually(async () => expect(await projection.reachedHead(1_000)).toBe(true));
    let isOpen = false;
    const elapse = () => (isOpen ? Promise.resolve() : Promise.reject(new Error('not yet')));
    const now = () => new Date();
    const { signal, log } = followed('');
    running.push(runTimers({ db, projection, elapse, now, signal, log, pollMs: 20 }));
    const of = { 'patchtrail.stream.category': category };
    const late = { ...of, 'patchtrail.timer.purpose': 'bake' };
    await eventually(async () => {
      const text = await telemetry.scrape();
      expect(sampleOf(text, 'patchtrail.timer.lateness.count', late)).toBe(1);
      expect(sampleOf(text, 'patchtrail.timer.lateness.sum', late)).toBeGreaterThan(59);
      expect(sampleOf(text, 'patchtrail.timer.overdue', of)).toBeGreaterThan(59);
    });
    isOpen = true;
    await eventually(async () => {
      expect(sampleOf(await telemetry.scrape(), 'patchtrail.timer.overdue', of)).toBe(0);
    });
    const fired = named(await telemetry.stop(), `elapse ${category}`);
    expect(fired.map(({ failure }) => failure)).toEqual(['Error', null]);
    expect(fired[0]?.links).toMatchObject([contextIn(traceparent)]);
    expect(fired[0]?.traceId).not.toBe(traceIdOf(traceparent));
  });
});
