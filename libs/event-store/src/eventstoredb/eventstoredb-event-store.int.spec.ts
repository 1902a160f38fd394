/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { binaryEvent, jsonEvent } from '@eventstore/db-client';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { inSpan } from '@patchtrail/telemetry';
import { collectOwn, sampleOf } from '@patchtrail/telemetry/collector';
import { categoryOf } from '../category.js';
import { crashSuite } from '../conformance/crash.suite.js';
import { eventStoreSuite } from '../conformance/event-store.suite.js';
import type { EventStore, Position } from '../event-store.js';
import { createTestLog } from '../log.suite.js';
import { eventsIn, follow, freshPrefix, freshStream, newEvents } from '../test-events.suite.js';
import { type ClientLease, leaseClient } from './client-lease.js';
import { openEventStoreDb } from './eventstoredb-event-store.js';
import { ForeignEvent } from './recorded-event.js';
import { type Opened, openTestStore, TEST_SERVER } from './test-server.suite.js';

eventStoreSuite(`eventstoredb, on ${TEST_SERVER}`, openTestStore);
crashSuite(`eventstoredb, on ${TEST_SERVER}`, openTestStore);

describe(`event store: eventstoredb, its own promises on ${TEST_SERVER}`, () => {
  let opened: Opened;
  let store: EventStore;
  let lease: ClientLease;
  beforeAll(async () => {
    opened = await openTestStore();
    ({ store } = opened);
    lease = leaseClient(opened.url);
  });
  afterAll(async () => {
    await lease.release();
    await opened.close();
  });

  const foreign = (n: number) => jsonEvent({ type: 'other', data: { n } });
  const appendForeign = (stream: string, count = 1) =>
    lease.client.appendToStream(
      stream,
      Array.from({ length: count }, (_, n) => foreign(n)),
    );

  it('keeps its identity', async () => {
    const again = await openEventStoreDb({ url: opened.url, log: createTestLog() });
    expect(await again.identity()).toBe(await store.identity());
    await again.close();
  });

  it('times its appends, each a span of the caller, refused ones too', async () => {
    const telemetry = await collectOwn();
    try {
      const stream = freshStream();
      await inSpan('caller', { kind: 'internal', parent: null }, async () => {
        await store.append(stream, 'no-stream', newEvents(2));
        await expect(store.append(stream, 'no-stream', newEvents(1))).rejects.toThrow(stream);
      });
      const about = {
        ...{ 'db.system.name': 'eventstoredb', 'db.operation.name': 'append' },
        'db.collection.name': categoryOf(stream),
      };
      const text = await telemetry.scrape();
      const counted = (more = {}) =>
        sampleOf(text, 'db.client.operation.duration.count', { ...about, ...more });
      expect(counted()).toBe(2);
      expect(counted({ 'error.type': 'WrongExpectedRevision' })).toBe(1);
      const spans = await telemetry.stop();
      const caller = spans.find(({ name }) => name === 'caller');
      const [stored, refused] = spans.filter((span) => span !== caller);
      expect(stored).toMatchObject({
        ...{ name: `append ${categoryOf(stream)}`, failure: null },
        ...{ traceId: caller?.traceId, parentSpanId: caller?.spanId },
      });
      expect(Object.fromEntries(stored?.attributes ?? [])).toMatchObject(about);
      expect(refused).toMatchObject({ failure: 'WrongExpectedRevision' });
    } finally {
      await telemetry.stop();
    }
  });

  it('tells that it has caught up exactly behind what it has delivered, however busy the server and slow the reader', async () => {
    const prefix = freshPrefix();
    const other = freshPrefix();
    const after = await store.head();
    const own: Position[] = [];
    let isWritten = false;
    const writeForeign = async () => {
      for (let n = 0; !isWritten; n += 1) await appendForeign(`${other}${n % 7}`, 1 + (n % 40));
    };
    const writeOwn = async () => {
      for (let n = 0; n < 60; n += 1) {
        const stream = freshStream(prefix);
        await store.append(stream, 'no-stream', newEvents(1 + (n % 3)));
        own.push(...(await store.read(stream)).map(({ position }) => position));
      }
    };
    let caughtUpWhileBusy = 0;
    const reader = follow(
      { store, prefixes: [prefix], after },
      (seen) =>
        isWritten && eventsIn(seen).length === own.length && seen.at(-1)?.kind === 'caught-up',
      async (item) => {
        if (item.kind === 'caught-up' && !isWritten) caughtUpWhileBusy += 1;
        await store.read(freshStream(), { maxCount: 1 });
      },
    );
    const busy = writeForeign();
    await writeOwn();
    isWritten = true;
    await busy;
    const items = await reader;

    expect(eventsIn(items).map(({ position }) => position)).toEqual(own);
    expect(caughtUpWhileBusy).toBeGreaterThan(1);
    for (const [index, item] of items.entries()) {
      if (item.kind === 'event') continue;
      const delivered = eventsIn(items.slice(0, index)).length;
      const due = own.filter((position) => store.comparePositions(position, item.position) <= 0);
      expect(delivered).toBe(due.length);
    }
  });

  it('passes over what others wrote where no prefix says what is its own', async () => {
    const after = await store.head();
    const other = freshPrefix();
    await appendForeign(`${other}1`);
    await appendForeign('no category');
    await lease.client.appendToStream(
      `${other}2`,
      binaryEvent({ type: 'other', data: Buffer.from('{"n":1}') }),
    );
    const stream = freshStream();
    await store.append(stream, 'no-stream', newEvents(2));
    const ours = await store.read(stream);
    const isOurs = (found: string) => found.startsWith(other) || found === stream;
    const items = await follow({ store, prefixes: [], after }, (seen) =>
      eventsIn(seen).some((event) => event.id === ours[1]?.id),
    );
    expect(eventsIn(items).filter((event) => isOurs(event.stream))).toEqual(ours);
    const page = await store.readAll({ from: after, maxCount: 10_000 });
    expect(page.events.filter((event) => isOurs(event.stream))).toEqual(ours);
  });

  it.each([
    ['JSON without the metadata', () => foreign(1)],
    ['bytes', () => binaryEvent({ type: 'other', data: Buffer.from('{"n":1}') })],
    [
      'metadata of another shape',
      () => jsonEvent({ type: 'other', data: {}, metadata: { schemaVersion: '1' } }),
    ],
  ])('stops at %s under its own prefix', async (_, event) => {
    const after = await store.head();
    const prefix = freshPrefix();
    const stream = freshStream(prefix);
    await store.append(stream, 'no-stream', newEvents(1));
    await lease.client.appendToStream(stream, event());
    await expect(store.read(stream)).rejects.toThrow(ForeignEvent);
    await expect(store.read(stream)).rejects.toThrow(`other at ${stream}@1`);
    await expect(store.readAll({ from: after, prefixes: [prefix] })).rejects.toThrow(ForeignEvent);
    const seen: string[] = [];
    const all = follow(
      { store, prefixes: [prefix], after },
      () => false,
      (item) => Promise.resolve(void seen.push(item.kind)),
    );
    await expect(all).rejects.toThrow(ForeignEvent);
    expect(seen).toContain('event');
  });

  it('passes over the tombstone of a stream that an administrator deleted', async () => {
    const prefix = freshPrefix();
    const after = await store.head();
    const [deleted, kept] = [freshStream(prefix), freshStream(prefix)];
    await store.append(deleted, 'no-stream', newEvents(1));
    await lease.client.tombstoneStream(deleted);
    await store.append(kept, 'no-stream', newEvents(1));
    const items = await follow(
      { store, prefixes: [prefix], after },
      (seen) => seen.at(-1)?.kind === 'caught-up' && eventsIn(seen).length > 0,
    );
    expect(eventsIn(items).at(-1)?.stream).toBe(kept);
    await expect(store.append(deleted, 0, newEvents(1))).rejects.toMatchObject({
      type: 'stream-deleted',
    });
  });

  it('reads all in bounded pages, however much others wrote', async () => {
    const prefix = freshPrefix();
    const from = await store.head();
    await appendForeign(freshStream(), 400);
    await appendForeign(freshStream(), 400);
    await appendForeign(freshStream(), 400);
    const stream = freshStream(prefix);
    await store.append(stream, 'no-stream', newEvents(1));
    const first = await store.readAll({ from, prefixes: [prefix], maxCount: 10 });
    expect(first.events).toEqual([]);
    expect(first.next).not.toBeNull();
    const second = await store.readAll({ from: first.next, prefixes: [prefix], maxCount: 10 });
    expect(second.events).toEqual(await store.read(stream));
  });
});
