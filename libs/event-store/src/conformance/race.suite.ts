import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { raceMs } from '@patchtrail/testing';
import { describe, expect, it } from '@jest/globals';
import {
  type EventStore,
  type Position,
  type StoredEvent,
  WrongExpectedRevision,
} from '../event-store.js';
import { freshPrefix, newEvents } from '../test-events.suite.js';

const WRITERS = 16;
const STREAMS = 6;
/** For a store that is much faster than its reader. */
const APPENDS_PER_WRITER_MAX = 3_000;
const CATCH_UP_MS = 60_000;
const PAGE_SIZE = 1_000;

type Won = { stream: string; ids: readonly string[]; revision: number };
type Written = { won: readonly Won[]; conflicts: number };
type Seen = Pick<StoredEvent, 'stream' | 'revision' | 'id' | 'position'>;

/** Writers in a hurry and a reader at their heels: what a wrong order of commits would show. */
export function raceSuite(adapter: string, storeOf: () => EventStore): void {
  describe('race', () => {
    it(
      'skips nothing, inverts nothing and has one winner per revision',
      async () => {
        const store = storeOf();
        const prefix = freshPrefix();
        const streams = Array.from({ length: STREAMS }, () => `${prefix}${randomUUID()}`);
        const last = `${prefix}last`;
        const after = await store.head();
        const reader = readUntil(store, prefix, after, last);
        const until = performance.now() + raceMs();
        const written = await Promise.all(
          Array.from({ length: WRITERS }, (_, n) => write(store, streams, n, until)),
        );
        await store.append(last, 'no-stream', newEvents(1));
        const seen = await reader;

        const won = written.flatMap((writer) => writer.won);
        const conflicts = written.reduce((sum, writer) => sum + writer.conflicts, 0);
        const ids = won.flatMap((append) => append.ids);
        const found = new Set(seen.map(({ id }) => id));
        const skipped = ids.filter((id) => !found.has(id)).length;
        const inverted = inversionsOf(store, seen);
        process.stdout.write(
          `race on ${adapter}: ${won.length} appends, ${conflicts} conflicts, ` +
            `${seen.length} events seen, ${skipped} skipped, ${inverted} inverted\n`,
        );

        expect({ skipped, inverted }).toEqual({ skipped: 0, inverted: 0 });
        expect(seen).toHaveLength(ids.length);
        expect(conflicts).toBeGreaterThan(0);
        expect(written.every((writer) => writer.won.length > 0)).toBe(true);
        for (const stream of streams) {
          const stored = await idsIn(store, stream);
          expect(idsOf(seen.filter((event) => event.stream === stream))).toEqual(stored);
          expect(idsWonIn(won, stream)).toEqual(stored);
        }
      },
      raceMs() + 2 * CATCH_UP_MS,
    );
  });
}

/** Appends 1 to 3 events at a time wherever it finds the stream. */
async function write(
  store: EventStore,
  streams: readonly string[],
  n: number,
  until: number,
): Promise<Written> {
  const won: Won[] = [];
  let conflicts = 0;
  const heads = new Map<string, number>();
  // Each one has to win at least once, however slow the store is.
  while (won.length === 0 || (performance.now() < until && won.length < APPENDS_PER_WRITER_MAX)) {
    const stream = streams[(n + won.length) % streams.length]!;
    const events = newEvents(1 + ((n + won.length) % 3));
    const head = heads.get(stream) ?? -1;
    try {
      const { revision } = await store.append(stream, head === -1 ? 'no-stream' : head, events);
      heads.set(stream, revision);
      won.push({ stream, ids: idsOf(events), revision });
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision)) throw error;
      conflicts += 1;
      heads.set(stream, error.actual === 'no-stream' ? -1 : error.actual);
    }
    // A store in this process would leave nobody else a turn.
    await turn();
  }
  return { won, conflicts };
}

/** What a subscription delivers until it comes to the stream; resumed where it ends early. */
async function readUntil(
  store: EventStore,
  prefix: string,
  after: Position | null,
  last: string,
): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  const signal = AbortSignal.timeout(raceMs() + CATCH_UP_MS);
  let from = after;
  while (!signal.aborted) {
    for await (const item of store.subscribe({ after: from, prefixes: [prefix], signal })) {
      from = item.kind === 'event' ? item.event.position : item.position;
      if (item.kind !== 'event') continue;
      const { stream, revision, id, position } = item.event;
      if (stream === last) return seen;
      seen.push({ stream, revision, id, position });
    }
  }
  throw new Error(`The reader did not come to the end: it saw ${seen.length} events.`);
}

/** Events that follow one with a later position, or that are not the next of their stream. */
function inversionsOf(store: EventStore, seen: readonly Seen[]): number {
  const heads = new Map<string, number>();
  return seen.filter(({ stream, revision, position }, n) => {
    const isNext = revision === (heads.get(stream) ?? -1) + 1;
    heads.set(stream, revision);
    const before = seen[n - 1];
    return !isNext || (before && store.comparePositions(before.position, position) >= 0);
  }).length;
}

function idsWonIn(won: readonly Won[], stream: string): readonly string[] {
  return won
    .filter((append) => append.stream === stream)
    .sort((a, b) => a.revision - b.revision)
    .flatMap(({ ids }) => ids);
}

function idsOf(events: readonly { id: string }[]): readonly string[] {
  return events.map(({ id }) => id);
}

async function idsIn(store: EventStore, stream: string): Promise<readonly string[]> {
  const ids: string[] = [];
  for (;;) {
    const page = await store.read(stream, { from: ids.length, maxCount: PAGE_SIZE });
    ids.push(...idsOf(page));
    if (page.length < PAGE_SIZE) return ids;
  }
}
