import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { type EventStore, type StoredEvent, WrongExpectedRevision } from '../event-store.js';
import { eventsIn, follow, freshPrefix, newEvents } from '../test-events.suite.js';

const WRITERS = 16;
const STREAMS = 6;
const APPENDS_PER_WRITER = 40;

type Won = { stream: string; ids: readonly string[]; revision: number };

/** Writers in a hurry and a reader at their heels: what a wrong order of commits would show. */
export function raceSuite(storeOf: () => EventStore): void {
  describe('race', () => {
    it('skips nothing, inverts nothing and has one winner per revision', async () => {
      const store = storeOf();
      const prefix = freshPrefix();
      const streams = Array.from({ length: STREAMS }, () => `${prefix}${randomUUID()}`);
      const after = await store.head();
      let expected = Infinity;
      const reader = follow(
        { store, prefixes: [prefix], after },
        (items) => items.length >= expected && eventsIn(items).length >= expected,
      );
      const writers = Array.from({ length: WRITERS }, (_, n) => write(store, streams, n));
      const won = (await Promise.all(writers)).flat();
      expected = won.reduce((sum, { ids }) => sum + ids.length, 0);
      // Lets the reader look again, should it have seen everything before it knew the number.
      const last = await store.append(`${prefix}last`, 'no-stream', newEvents(1));
      expected += 1;
      const seen = eventsIn(await reader).filter(({ stream }) => stream !== `${prefix}last`);

      expect(won).toHaveLength(WRITERS * APPENDS_PER_WRITER);
      expect(seen).toHaveLength(expected - 1);
      expect(isOrdered(store, [...seen.map(({ position }) => position), last.position])).toBe(true);
      for (const stream of streams) {
        const stored = await storedIn(store, stream);
        expect(seen.filter((event) => event.stream === stream)).toEqual(stored);
        expect(stored.map(({ revision }) => revision)).toEqual(stored.map((_, index) => index));
        expect(stored.map(({ id }) => id)).toEqual(idsWonIn(won, stream));
      }
    });
  });
}

/** Appends 1 to 3 events at a time wherever it finds the stream, until each append was taken. */
async function write(store: EventStore, streams: readonly string[], n: number): Promise<Won[]> {
  const won: Won[] = [];
  const heads = new Map<string, number>();
  while (won.length < APPENDS_PER_WRITER) {
    const stream = streams[(n + won.length) % streams.length]!;
    const events = newEvents(1 + ((n + won.length) % 3));
    const head = heads.get(stream) ?? -1;
    try {
      const { revision } = await store.append(stream, head === -1 ? 'no-stream' : head, events);
      heads.set(stream, revision);
      won.push({ stream, ids: events.map(({ id }) => id), revision });
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision)) throw error;
      heads.set(stream, error.actual === 'no-stream' ? -1 : error.actual);
    }
  }
  return won;
}

function idsWonIn(won: readonly Won[], stream: string): readonly string[] {
  return won
    .filter((append) => append.stream === stream)
    .sort((a, b) => a.revision - b.revision)
    .flatMap(({ ids }) => ids);
}

function isOrdered(store: EventStore, positions: readonly StoredEvent['position'][]): boolean {
  return positions.every(
    (position, n) => n === 0 || store.comparePositions(positions[n - 1]!, position) < 0,
  );
}

async function storedIn(store: EventStore, stream: string): Promise<readonly StoredEvent[]> {
  return store.read(stream, { maxCount: 10_000 });
}
