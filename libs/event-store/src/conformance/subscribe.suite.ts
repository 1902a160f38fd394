import { describe, expect, it } from '@jest/globals';
import { APPEND_EVENTS_MAX } from '../check-append.js';
import type { EventStore } from '../event-store.js';
import { isPosition } from '../position.js';
import {
  caughtUpWith,
  eventsIn,
  follow,
  freshPrefix,
  freshStream as streamOf,
  newEvents,
} from '../test-events.suite.js';

export function subscribeSuite(storeOf: () => EventStore): void {
  describe('subscribe', () => {
    it('delivers what is there, then says so, then what comes', async () => {
      const prefix = freshPrefix();
      const stream = streamOf(prefix);
      const events = newEvents(5);
      const after = await storeOf().head();
      await storeOf().append(stream, 'no-stream', events.slice(0, 2));
      let isLive = false;
      const items = await follow(
        { store: storeOf(), prefixes: [prefix], after },
        (seen) => eventsIn(seen).length === 5 && seen.at(-1)?.kind === 'caught-up',
        async ({ kind }) => {
          if (kind === 'event' || isLive) return;
          isLive = true;
          await storeOf().append(stream, 1, events.slice(2, 4));
          await storeOf().append(stream, 3, events.slice(4));
        },
      );
      expect(items.slice(0, 3).map(({ kind }) => kind)).toEqual(['event', 'event', 'caught-up']);
      expect(eventsIn(items)).toEqual(await storeOf().read(stream));
      expect(eventsIn(items).map(({ id }) => id)).toEqual(events.map(({ id }) => id));
    });

    it('is caught up with everything at or before the position that it tells', async () => {
      const prefix = freshPrefix();
      const { position } = await storeOf().append(streamOf(prefix), 'no-stream', newEvents(1));
      const items = await follow(
        { store: storeOf(), prefixes: [freshPrefix()], after: position },
        (seen) => seen.at(-1)?.kind === 'caught-up',
      );
      const [item] = items;
      expect(items).toHaveLength(1);
      expect(
        item?.kind === 'caught-up' && storeOf().comparePositions(item.position, position) >= 0,
      ).toBe(true);
    });

    it('moves on past the events of others', async () => {
      const prefix = freshPrefix();
      const after = await storeOf().head();
      let foreign = after;
      const items = await follow(
        { store: storeOf(), prefixes: [prefix], after },
        (seen) => {
          const last = seen.at(-1);
          return (
            last?.kind === 'caught-up' &&
            foreign !== after &&
            storeOf().comparePositions(last.position, foreign!) >= 0
          );
        },
        async () => {
          if (foreign !== after) return;
          ({ position: foreign } = await storeOf().append(streamOf(), 'no-stream', newEvents(1)));
        },
      );
      expect(eventsIn(items)).toEqual([]);
    });

    it('resumes after a position, which is exclusive', async () => {
      const prefix = freshPrefix();
      const stream = streamOf(prefix);
      await storeOf().append(stream, 'no-stream', newEvents(600 - APPEND_EVENTS_MAX));
      await storeOf().append(stream, 599 - APPEND_EVENTS_MAX, newEvents(APPEND_EVENTS_MAX));
      const stored = await storeOf().read(stream);
      for (const revision of [0, 299, 598, 599]) {
        const after = stored[revision]!.position;
        const rest = await caughtUpWith({ store: storeOf(), prefixes: [prefix], after });
        expect(rest).toEqual(stored.slice(revision + 1));
      }
    });

    it('filters by prefixes with their dash', async () => {
      const [rollout, unwanted] = [freshPrefix(), freshPrefix()];
      const wave = rollout.replace('-', 'wave-');
      const after = await storeOf().head();
      const names = [streamOf(rollout), streamOf(unwanted), streamOf(wave), streamOf(rollout)];
      for (const name of names) await storeOf().append(name, 'no-stream', newEvents(1));
      const streams = async (...prefixes: string[]) =>
        (await caughtUpWith({ store: storeOf(), prefixes, after })).map(({ stream }) => stream);
      expect(await streams(rollout)).toEqual([names[0], names[3]]);
      expect(await streams(wave, rollout)).toEqual([names[0], names[2], names[3]]);
      expect(await streams(`${rollout}${names[3]!.slice(rollout.length, -1)}`)).toEqual([names[3]]);
      expect(await streams()).toEqual(expect.arrayContaining(names));
    });

    it.each(['rollout', '$all-', '', 'a b-', '-'])('refuses the prefix "%s"', async (prefix) => {
      const from = { store: storeOf(), prefixes: ['rollout-', prefix], after: null };
      await expect(follow(from, () => true)).rejects.toMatchObject({ field: 'prefixes[1]' });
    });

    it('refuses a position that is none of its own', async () => {
      const after = 'nowhere';
      if (!isPosition(after)) throw new Error('Some store may give out any text.');
      const from = { store: storeOf(), prefixes: [], after };
      await expect(follow(from, () => true)).rejects.toMatchObject({ field: 'position' });
    });

    it('ends on abort: before it starts, between events and while it waits', async () => {
      const prefix = freshPrefix();
      const after = await storeOf().head();
      await storeOf().append(streamOf(prefix), 'no-stream', newEvents(3));
      const countUntil = async (abortAt: number) => {
        const stop = new AbortController();
        let count = 0;
        if (abortAt === 0) stop.abort();
        const options = { after, prefixes: [prefix], signal: stop.signal };
        for await (const item of storeOf().subscribe(options)) {
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
}
