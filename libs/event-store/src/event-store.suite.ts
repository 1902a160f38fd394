import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { APPEND_EVENTS_MAX } from './check-append.js';
import {
  APPEND_BYTES_MAX,
  AppendTooLarge,
  type AppendResult,
  type EventStore,
  InvalidEvent,
  type Json,
  type NewEvent,
  WrongExpectedRevision,
} from './event-store.js';
import { isPosition } from './position.js';
import { raceSuite } from './race.suite.js';
import {
  caughtUpWith,
  eventsIn,
  follow,
  freshPrefix,
  metadata,
  newEvent,
  newEvents,
} from './test-events.suite.js';

export type OpenStore = () => Promise<{ store: EventStore; close: () => Promise<void> }>;

/**
 * What every adapter of the port must keep. The store may be shared and hold anything before and
 * beside: each test has streams of its own and looks only at them.
 */
export function eventStoreSuite(adapter: string, open: OpenStore): void {
  describe(`event store: ${adapter}`, () => {
    let store: EventStore;
    let close: () => Promise<void>;
    beforeAll(async () => {
      ({ store, close } = await open());
    });
    afterAll(() => close());

    const streamOf = (prefix = freshPrefix()) => `${prefix}${randomUUID()}`;
    const idsIn = async (stream: string) => (await store.read(stream)).map(({ id }) => id);

    describe('append', () => {
      it('stores events as they came, numbered from 0', async () => {
        const stream = streamOf();
        const data = { z: [1, 'two', null, { deep: true }], a: 'ü\u0000"\\', n: -0.5, '': {} };
        const [first, second] = [newEvent(data), newEvent('text')];
        const result = await store.append(stream, 'no-stream', [first, second]);
        expect(result.revision).toBe(1);
        const stored = await store.read(stream);
        expect(stored).toMatchObject([
          { ...first, stream, revision: 0 },
          { ...second, stream, revision: 1, position: result.position },
        ]);
        expect(JSON.stringify(stored[0]?.data)).toBe(JSON.stringify(data));
        expect(stored[0]?.recordedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      });

      it('appends at the revision that the writer has seen', async () => {
        const stream = streamOf();
        const first = await store.append(stream, 'no-stream', newEvents(2));
        const second = await store.append(stream, first.revision, newEvents(1));
        expect(second.revision).toBe(2);
        expect(store.comparePositions(first.position, second.position)).toBeLessThan(0);
      });

      it.each([
        ['no-stream on one that exists', 'no-stream', 1],
        ['an older revision', 0, 1],
        ['a revision not reached yet', 2, 1],
      ] as const)('refuses %s, with the actual revision', async (_, expected, actual) => {
        const stream = streamOf();
        await store.append(stream, 'no-stream', newEvents(2));
        const before = await idsIn(stream);
        const refused = store.append(stream, expected, newEvents(1));
        await expect(refused).rejects.toThrow(WrongExpectedRevision);
        await expect(refused).rejects.toMatchObject({ stream, expected, actual });
        expect(await idsIn(stream)).toEqual(before);
      });

      it('refuses a revision of a stream that does not exist', async () => {
        const stream = streamOf();
        const refused = store.append(stream, 0, newEvents(1));
        await expect(refused).rejects.toMatchObject({ expected: 0, actual: 'no-stream' });
        expect(await store.read(stream)).toEqual([]);
      });

      it('takes the same append again without effect, also when others came after', async () => {
        const stream = streamOf();
        await store.append(stream, 'no-stream', newEvents(1));
        const events = newEvents(2);
        const first = await store.append(stream, 0, events);
        expect(await store.append(stream, 0, events)).toEqual(first);
        await store.append(stream, first.revision, newEvents(3));
        expect(await store.append(stream, 0, events)).toEqual(first);
        expect(await idsIn(stream)).toHaveLength(6);
      });

      it('takes one of two equal appends that race, and answers both alike', async () => {
        const stream = streamOf();
        const events = newEvents(2);
        const results = await Promise.all(
          Array.from({ length: 4 }, () => store.append(stream, 'no-stream', events)),
        );
        expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
        expect(await idsIn(stream)).toEqual(events.map(({ id }) => id));
      });

      it.each([
        ['other ids', (events: readonly NewEvent[]) => [events[0]!, newEvent()]],
        ['another order', (events: readonly NewEvent[]) => [...events].reverse()],
        ['one more', (events: readonly NewEvent[]) => [...events, newEvent()]],
      ])('refuses %s at a revision that is taken', async (_, change) => {
        const stream = streamOf();
        const events = newEvents(2);
        await store.append(stream, 'no-stream', events);
        const refused = store.append(stream, 'no-stream', change(events));
        await expect(refused).rejects.toThrow(WrongExpectedRevision);
        expect(await idsIn(stream)).toHaveLength(2);
      });
    });

    describe('limits', () => {
      const textOf = (bytes: number) => 'x'.repeat(bytes);
      // Quotes around the text, and the metadata beside it.
      const overhead = 2 + Buffer.byteLength(JSON.stringify(metadata));

      it('takes an append of 1 MiB and refuses one byte more', async () => {
        const stream = streamOf();
        const half = newEvent(textOf(APPEND_BYTES_MAX / 2 - overhead));
        const rest = newEvent(textOf(APPEND_BYTES_MAX / 2 - overhead));
        await store.append(stream, 'no-stream', [half, rest]);
        const more = newEvent(textOf(APPEND_BYTES_MAX / 2 - overhead + 1));
        const refused = store.append(stream, 1, [newEvent(half.data), more]);
        await expect(refused).rejects.toThrow(AppendTooLarge);
        await expect(refused).rejects.toMatchObject({ bytes: APPEND_BYTES_MAX + 1 });
        expect(await idsIn(stream)).toHaveLength(2);
      });

      it('counts bytes and not characters', async () => {
        const refused = store.append(streamOf(), 'no-stream', [
          newEvent('ü'.repeat(APPEND_BYTES_MAX / 2)),
        ]);
        await expect(refused).rejects.toThrow(AppendTooLarge);
      });

      it('takes as many events as allowed and no more', async () => {
        const stream = streamOf();
        await store.append(stream, 'no-stream', newEvents(APPEND_EVENTS_MAX));
        const refused = store.append(
          stream,
          APPEND_EVENTS_MAX - 1,
          newEvents(APPEND_EVENTS_MAX + 1),
        );
        await expect(refused).rejects.toMatchObject({ field: 'events' });
        expect(await idsIn(stream)).toHaveLength(APPEND_EVENTS_MAX);
      });

      const nested = (levels: number): Json => (levels === 0 ? 1 : [nested(levels - 1)]);
      const id = randomUUID();
      it.each<[string, readonly NewEvent[]]>([
        ['events', []],
        ['events[0].id', [newEvent(1, 'no-uuid')]],
        ['events[0].id', [newEvent(1, id.toUpperCase().replace(/^./, 'A'))]],
        ['events[1].id', [newEvent(1, id), newEvent(2, id)]],
        ['events[0].type', [{ ...newEvent(), type: '$Counted' }]],
        ['events[0].type', [{ ...newEvent(), type: '' }]],
        ['events[1].data.a[1]', [newEvent(), newEvent({ a: [1, Number.NaN] })]],
        [`events[0].data${'[0]'.repeat(65)}`, [newEvent(nested(65))]],
        ['events[0].metadata.schemaVersion', [withMetadata({ schemaVersion: 0 })]],
        ['events[0].metadata.commandId', [withMetadata({ commandId: '' })]],
        ['events[0].metadata.actor', [withMetadata({ actor: 'a'.repeat(513) })]],
        ['events[0].metadata.occurredAt', [withMetadata({ occurredAt: '2026-11-21' })]],
        ['events[0].metadata.occurredAt', [withMetadata({ occurredAt: '2026-13-21T09:00:00Z' })]],
      ])('refuses what breaks the rule of %s', async (field, events) => {
        const stream = streamOf();
        const refused = store.append(stream, 'no-stream', events);
        await expect(refused).rejects.toThrow(InvalidEvent);
        await expect(refused).rejects.toMatchObject({ field });
        expect(await store.read(stream)).toEqual([]);
      });

      it.each(['$all', '$ce-x', '', 'nodash', 'a b-1', '-1', 'a-', `a-${'x'.repeat(191)}`])(
        'refuses the stream name "%s"',
        async (stream) => {
          const refused = store.append(stream, 'no-stream', newEvents(1));
          await expect(refused).rejects.toThrow(InvalidEvent);
          await expect(refused).rejects.toMatchObject({ field: 'stream' });
          await expect(store.read(stream)).rejects.toMatchObject({ field: 'stream' });
        },
      );

      it.each([-1, 0.5, Number.NaN, 2 ** 40])('refuses the revision %d', async (expected) => {
        const refused = store.append(streamOf(), expected, newEvents(1));
        await expect(refused).rejects.toMatchObject({ field: 'expected' });
      });
    });

    describe('read', () => {
      it('finds nothing in a stream that does not exist', async () => {
        expect(await store.read(streamOf())).toEqual([]);
      });

      it('reads in pages', async () => {
        const stream = streamOf();
        const events = newEvents(7);
        await store.append(stream, 'no-stream', events);
        const page = async (from: number) =>
          (await store.read(stream, { from, maxCount: 3 })).map(({ revision }) => revision);
        expect(await page(0)).toEqual([0, 1, 2]);
        expect(await page(3)).toEqual([3, 4, 5]);
        expect(await page(6)).toEqual([6]);
        expect(await page(7)).toEqual([]);
        expect(await idsIn(stream)).toEqual(events.map(({ id }) => id));
      });

      it.each([
        ['from', { from: -1 }],
        ['from', { from: 1.5 }],
        ['maxCount', { maxCount: 0 }],
        ['maxCount', { maxCount: 10_001 }],
      ])('refuses what breaks the rule of %s', async (field, options) => {
        await expect(store.read(streamOf(), options)).rejects.toMatchObject({ field });
      });
    });

    describe('positions', () => {
      it('are in the order of the appends over all streams', async () => {
        const prefix = freshPrefix();
        const results: AppendResult[] = [];
        for (let n = 0; n < 12; n += 1) {
          results.push(await store.append(streamOf(prefix), 'no-stream', newEvents(1)));
        }
        const compared = results.slice(1).map(({ position }, n) => {
          const earlier = results[n]!.position;
          return [
            Math.sign(store.comparePositions(earlier, position)),
            Math.sign(store.comparePositions(position, earlier)),
            store.comparePositions(position, position),
          ];
        });
        expect(compared).toEqual(results.slice(1).map(() => [-1, 1, 0]));
      });

      it('reach the newest event with the head', async () => {
        const { position } = await store.append(streamOf(), 'no-stream', newEvents(3));
        const head = await store.head();
        expect(store.comparePositions(head!, position)).toBeGreaterThanOrEqual(0);
      });
    });

    describe('subscribe', () => {
      it('delivers what is there, then says so, then what comes', async () => {
        const prefix = freshPrefix();
        const stream = streamOf(prefix);
        const events = newEvents(5);
        const after = await store.head();
        await store.append(stream, 'no-stream', events.slice(0, 2));
        let isLive = false;
        const items = await follow(
          { store, prefixes: [prefix], after },
          (seen) => eventsIn(seen).length === 5 && seen.at(-1)?.kind === 'caught-up',
          async ({ kind }) => {
            if (kind === 'event' || isLive) return;
            isLive = true;
            await store.append(stream, 1, events.slice(2, 4));
            await store.append(stream, 3, events.slice(4));
          },
        );
        expect(items.slice(0, 3).map(({ kind }) => kind)).toEqual(['event', 'event', 'caught-up']);
        expect(eventsIn(items)).toEqual(await store.read(stream));
        expect(eventsIn(items).map(({ id }) => id)).toEqual(events.map(({ id }) => id));
      });

      it('is caught up with everything at or before the position that it tells', async () => {
        const prefix = freshPrefix();
        const { position } = await store.append(streamOf(prefix), 'no-stream', newEvents(1));
        const items = await follow(
          { store, prefixes: [freshPrefix()], after: position },
          (seen) => seen.at(-1)?.kind === 'caught-up',
        );
        const [item] = items;
        expect(items).toHaveLength(1);
        expect(
          item?.kind === 'caught-up' && store.comparePositions(item.position, position) >= 0,
        ).toBe(true);
      });

      it('moves on past the events of others', async () => {
        const prefix = freshPrefix();
        const after = await store.head();
        let foreign = after;
        const items = await follow(
          { store, prefixes: [prefix], after },
          (seen) => {
            const last = seen.at(-1);
            return (
              last?.kind === 'caught-up' &&
              foreign !== after &&
              store.comparePositions(last.position, foreign!) >= 0
            );
          },
          async () => {
            if (foreign !== after) return;
            ({ position: foreign } = await store.append(streamOf(), 'no-stream', newEvents(1)));
          },
        );
        expect(eventsIn(items)).toEqual([]);
      });

      it('resumes after a position, which is exclusive', async () => {
        const prefix = freshPrefix();
        const stream = streamOf(prefix);
        await store.append(stream, 'no-stream', newEvents(600 - APPEND_EVENTS_MAX));
        await store.append(stream, 599 - APPEND_EVENTS_MAX, newEvents(APPEND_EVENTS_MAX));
        const stored = await store.read(stream);
        for (const revision of [0, 299, 598, 599]) {
          const after = stored[revision]!.position;
          const rest = await caughtUpWith({ store, prefixes: [prefix], after });
          expect(rest).toEqual(stored.slice(revision + 1));
        }
      });

      it('filters by prefixes with their dash', async () => {
        const [rollout, unwanted] = [freshPrefix(), freshPrefix()];
        const wave = rollout.replace('-', 'wave-');
        const after = await store.head();
        const names = [streamOf(rollout), streamOf(unwanted), streamOf(wave), streamOf(rollout)];
        for (const name of names) await store.append(name, 'no-stream', newEvents(1));
        const streams = async (...prefixes: string[]) =>
          (await caughtUpWith({ store, prefixes, after })).map(({ stream }) => stream);
        expect(await streams(rollout)).toEqual([names[0], names[3]]);
        expect(await streams(wave, rollout)).toEqual([names[0], names[2], names[3]]);
        expect(await streams(`${rollout}${names[3]!.slice(rollout.length, -1)}`)).toEqual([
          names[3],
        ]);
        expect(await streams()).toEqual(expect.arrayContaining(names));
      });

      it.each(['rollout', '$all-', '', 'a b-', '-'])('refuses the prefix "%s"', async (prefix) => {
        const from = { store, prefixes: ['rollout-', prefix], after: null };
        await expect(follow(from, () => true)).rejects.toMatchObject({ field: 'prefixes[1]' });
      });

      it('refuses a position that is none of its own', async () => {
        const after = 'nowhere';
        if (!isPosition(after)) throw new Error('Some store may give out any text.');
        const from = { store, prefixes: [], after };
        await expect(follow(from, () => true)).rejects.toMatchObject({ field: 'position' });
      });

      it('ends on abort: before it starts, between events and while it waits', async () => {
        const prefix = freshPrefix();
        const after = await store.head();
        await store.append(streamOf(prefix), 'no-stream', newEvents(3));
        const countUntil = async (abortAt: number) => {
          const stop = new AbortController();
          let count = 0;
          if (abortAt === 0) stop.abort();
          const options = { after, prefixes: [prefix], signal: stop.signal };
          for await (const item of store.subscribe(options)) {
            count += 1;
            if (count === abortAt) {
              // While waiting: after this item the subscription has nothing more to deliver.
              if (item.kind === 'caught-up') setImmediate(() => stop.abort());
              else stop.abort();
            }
          }
          return count;
        };
        expect(await countUntil(0)).toBe(0);
        expect(await countUntil(2)).toBe(2);
        expect(await countUntil(4)).toBe(4);
      });
    });

    raceSuite(() => store);
  });
}

function withMetadata(change: Partial<NewEvent['metadata']>): NewEvent {
  return { ...newEvent(), metadata: { ...metadata, ...change } };
}
