import { describe, expect, it } from '@jest/globals';
import type {
  AllPage,
  AppendResult,
  EventStore,
  Position,
  ReadAllOptions,
  ReadOptions,
  StoredEvent,
} from '../event-store.js';
import { isPosition } from '../position.js';
import { freshPrefix, freshStream as streamOf, newEvent, newEvents } from '../test-events.suite.js';

export function readSuite(storeOf: () => EventStore): void {
  const idsIn = async (stream: string) => (await storeOf().read(stream)).map(({ id }) => id);

  describe('read', () => {
    it('finds nothing in a stream that does not exist', async () => {
      expect(await storeOf().read(streamOf())).toEqual([]);
    });

    it('reads in pages', async () => {
      const stream = streamOf();
      const events = newEvents(7);
      await storeOf().append(stream, 'no-stream', events);
      const page = async (from: number) =>
        (await storeOf().read(stream, { from, maxCount: 3 })).map(({ revision }) => revision);
      expect(await page(0)).toEqual([0, 1, 2]);
      expect(await page(3)).toEqual([3, 4, 5]);
      expect(await page(6)).toEqual([6]);
      expect(await page(7)).toEqual([]);
      expect(await idsIn(stream)).toEqual(events.map(({ id }) => id));
    });

    it('reads backwards, from the newest or from a revision', async () => {
      const stream = streamOf();
      await storeOf().append(stream, 'no-stream', newEvents(7));
      const page = async (options: ReadOptions) => {
        const read = await storeOf().read(stream, { ...options, direction: 'backwards' });
        return read.map(({ revision }) => revision);
      };
      expect(await page({})).toEqual([6, 5, 4, 3, 2, 1, 0]);
      expect(await page({ maxCount: 2 })).toEqual([6, 5]);
      expect(await page({ from: 3, maxCount: 3 })).toEqual([3, 2, 1]);
      expect(await page({ from: 1 })).toEqual([1, 0]);
      expect(await page({ from: 99, maxCount: 1 })).toEqual([6]);
      expect(await storeOf().read(streamOf(), { direction: 'backwards' })).toEqual([]);
    });

    it.each<[string, ReadOptions]>([
      ['from', { from: -1 }],
      ['from', { from: 1.5 }],
      ['maxCount', { maxCount: 0 }],
      ['maxCount', { maxCount: 10_001 }],
    ])('refuses what breaks the rule of %s', async (field, options) => {
      await expect(storeOf().read(streamOf(), options)).rejects.toMatchObject({ field });
    });
  });

  describe('read all', () => {
    /** Every page from one end to the other, or to `until`. */
    const allFrom = async (options: ReadAllOptions) => {
      const pages: (readonly StoredEvent[])[] = [];
      for (let from = options.from ?? null; ;) {
        const { events, next } = await storeOf().readAll({ ...options, from });
        pages.push(events);
        if (next === null) return pages;
        from = next;
      }
    };

    it('gives all streams in one order, forwards and backwards, from a position on', async () => {
      const prefix = freshPrefix();
      const before = await storeOf().head();
      const results: AppendResult[] = [];
      for (let n = 0; n < 7; n += 1) {
        results.push(await storeOf().append(streamOf(prefix), 'no-stream', newEvents(1)));
      }
      const positions = results.map(({ position }) => position);
      const read = async (options: ReadAllOptions) => {
        const pages = await allFrom({ prefixes: [prefix], maxCount: 3, ...options });
        expect(pages.every(({ length }) => length <= 3)).toBe(true);
        return pages.flat().map(({ position }) => position);
      };
      expect(await read({ from: before })).toEqual(positions);
      expect(await read({ from: positions[2]! })).toEqual(positions.slice(3));
      expect(await read({ from: positions[6]! })).toEqual([]);
      const back: StoredEvent[] = [];
      for (let from: Position | null = positions[6]!; from !== null && back.length < 6;) {
        const options = { direction: 'backwards', from, prefixes: [prefix], maxCount: 4 } as const;
        const page: AllPage = await storeOf().readAll(options);
        expect(page.events.length).toBeLessThanOrEqual(4);
        back.push(...page.events);
        from = page.next;
      }
      expect(back.map(({ position }) => position)).toEqual(positions.slice(0, 6).reverse());
    });

    it('gives what a stream gives', async () => {
      const stream = streamOf();
      const from = await storeOf().head();
      await storeOf().append(stream, 'no-stream', [newEvent({ z: 1, a: ['ü'] }), newEvent()]);
      const pages = await allFrom({ from, prefixes: [stream] });
      expect(pages.flat()).toEqual(await storeOf().read(stream));
    });

    it('starts at the beginning, and backwards at the end', async () => {
      const { position } = await storeOf().append(streamOf(), 'no-stream', newEvents(2));
      const first = await storeOf().readAll({ maxCount: 500 });
      expect(await storeOf().readAll({ from: null, maxCount: 500 })).toEqual(first);
      // A page may hold only what others wrote, and then be empty.
      const beginning = first.events[0]?.position ?? first.next;
      expect(storeOf().comparePositions(beginning!, position)).toBeLessThan(0);
      const last = await storeOf().readAll({ direction: 'backwards', maxCount: 500 });
      expect(last.events.map((event) => event.position)).toContain(position);
      const head = await storeOf().head();
      expect(storeOf().comparePositions(last.events[0]!.position, head!)).toBeLessThanOrEqual(0);
    });

    it.each<[string, ReadAllOptions]>([
      ['prefixes[0]', { prefixes: ['rollout'] }],
      ['maxCount', { maxCount: 0 }],
      ['maxCount', { maxCount: 10_001 }],
    ])('refuses what breaks the rule of %s', async (field, options) => {
      await expect(storeOf().readAll(options)).rejects.toMatchObject({ field });
    });

    it('refuses a position that is none of its own', async () => {
      const from = 'nowhere';
      if (!isPosition(from)) throw new Error('Some store may give out any text.');
      await expect(storeOf().readAll({ from })).rejects.toMatchObject({ field: 'position' });
    });
  });

  it('has one identity, which no other store has', async () => {
    const identity = await storeOf().identity();
    expect(identity).toMatch(/^[a-z]+:\S{1,100}$/);
    expect(await storeOf().identity()).toBe(identity);
  });

  describe('positions', () => {
    it('are in the order of the appends over all streams', async () => {
      const prefix = freshPrefix();
      const results: AppendResult[] = [];
      for (let n = 0; n < 12; n += 1) {
        results.push(await storeOf().append(streamOf(prefix), 'no-stream', newEvents(1)));
      }
      const compared = results.slice(1).map(({ position }, n) => {
        const earlier = results[n]!.position;
        return [
          Math.sign(storeOf().comparePositions(earlier, position)),
          Math.sign(storeOf().comparePositions(position, earlier)),
          storeOf().comparePositions(position, position),
        ];
      });
      expect(compared).toEqual(results.slice(1).map(() => [-1, 1, 0]));
    });

    it('reach the newest event with the head', async () => {
      const { position } = await storeOf().append(streamOf(), 'no-stream', newEvents(3));
      const head = await storeOf().head();
      expect(storeOf().comparePositions(head!, position)).toBeGreaterThanOrEqual(0);
    });
  });
}
