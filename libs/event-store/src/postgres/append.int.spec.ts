/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@patchtrail/testing';
import fc from 'fast-check';
import { Client } from 'pg';
import { crashSuite } from '../conformance/crash.suite.js';
import { openFreshStore, type OpenedStore } from '../databases.suite.js';
import {
  type AppendResult,
  type EventStore,
  type ExpectedRevision,
  type NewEvent,
  WrongExpectedRevision,
} from '../event-store.js';
import { createMemoryEventStore } from '../memory-event-store.js';
import { freshPrefix, freshStream, newEvent, newEvents } from '../test-events.suite.js';

crashSuite('postgres', async () => {
  const { store, urls, close } = await openFreshStore();
  return { store, url: urls.role, close };
});

const LOCK = "hashtextextended('event_store.append', 0)";

describe('appends to PostgreSQL that come together', () => {
  let opened: OpenedStore;
  let store: EventStore;
  let owner: Client;
  beforeAll(async () => {
    opened = await openFreshStore();
    ({ store } = opened);
    owner = new Client({ connectionString: opened.urls.owner });
    await owner.connect();
  });
  afterAll(async () => {
    await owner.end();
    await opened.close();
  });

  const transactionsOf = async (prefix: string) => {
    const { rows } = await owner.query<{ count: string }>(
      'SELECT count(DISTINCT xmin::text) FROM event_store.events WHERE stream ^@ $1',
      [prefix],
    );
    return Number(rows[0]?.count);
  };
  const whileLocked = async (work: () => Promise<void>) => {
    await owner.query(`SELECT pg_advisory_lock(${LOCK})`);
    try {
      await work();
    } finally {
      await owner.query(`SELECT pg_advisory_unlock(${LOCK})`);
    }
  };
  const writers = async (isWaiting = true) => {
    const { rows } = await owner.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database()
         AND application_name LIKE '%writer' AND (wait_event_type = 'Lock') = $1`,
      [isWaiting],
    );
    return rows.map(({ pid }) => pid);
  };
  const endWriters = () =>
    eventually(async () => {
      const pids = await writers();
      expect(pids.length).toBeGreaterThan(0);
      await owner.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) pid', [pids]);
      return pids;
    });

  it('share a transaction, in their order', async () => {
    const prefix = freshPrefix();
    const streams = Array.from({ length: 32 }, () => freshStream(prefix));
    const results = await Promise.all(
      streams.map((stream, n) => store.append(stream, 'no-stream', newEvents(1 + (n % 3)))),
    );
    expect(await transactionsOf(prefix)).toBe(1);
    for (const [n, stream] of streams.entries()) {
      const stored = await store.read(stream);
      expect(stored).toHaveLength(1 + (n % 3));
      expect(stored.at(-1)).toMatchObject(results[n]!);
    }
    const positions = results.map(({ position }) => position);
    expect(positions).toEqual(positions.toSorted((a, b) => store.comparePositions(a, b)));
  });

  it('of one event that come alone have the outcomes of others', async () => {
    const stream = freshStream();
    const [first, second] = [newEvents(1), newEvents(1)];
    const stored = [
      await store.append(stream, 'no-stream', first),
      await store.append(stream, 0, second),
    ];
    expect(stored.map(({ revision }) => revision)).toEqual([0, 1]);
    expect(await store.read(stream)).toMatchObject(stored);
    expect(await store.append(stream, 'no-stream', first)).toEqual(stored[0]);
    expect(await store.append(stream, 0, second)).toEqual(stored[1]);
    for (const expected of ['no-stream', 0, 2, 2_147_483_647] as const) {
      const refused = store.append(stream, expected, newEvents(1));
      await expect(refused).rejects.toMatchObject({ name: 'WrongExpectedRevision', actual: 1 });
    }
    const missing = store.append(freshStream(), 0, newEvents(1));
    await expect(missing).rejects.toMatchObject({ actual: 'no-stream' });
    expect(await store.read(stream)).toHaveLength(2);
  });

  it('are cut into batches by their bytes and events', async () => {
    const [heavy, many] = [freshPrefix(), freshPrefix()];
    const big = () => newEvent('x'.repeat(1_000_000));
    await Promise.all(
      Array.from({ length: 9 }, () => store.append(freshStream(heavy), 'no-stream', [big()])),
    );
    expect(await transactionsOf(heavy)).toBe(3);
    await Promise.all(
      Array.from({ length: 5 }, () => store.append(freshStream(many), 'no-stream', newEvents(500))),
    );
    expect(await transactionsOf(many)).toBe(3);
  });

  it('have each their own outcome: stored, repeated, refused, behind one another', async () => {
    const prefix = freshPrefix();
    const [old, hot, fresh] = [freshStream(prefix), freshStream(prefix), freshStream(prefix)];
    const events = newEvents(2);
    const first = await store.append(old, 'no-stream', events);
    const [hot0, hot1] = [newEvents(1), newEvents(2)];
    const outcomes = await Promise.allSettled([
      store.append(fresh, 'no-stream', newEvents(1)),
      store.append(old, 'no-stream', events),
      store.append(old, 0, newEvents(1)),
      store.append(hot, 'no-stream', hot0),
      store.append(hot, 'no-stream', newEvents(1)),
      store.append(hot, 0, hot1),
      store.append(hot, 'no-stream', hot0),
      store.append(hot, 7, newEvents(1)),
      store.append(hot, 2_147_483_647, newEvents(3)),
      store.append(freshStream(prefix), 4, newEvents(1)),
      store.append(old, 1, [newEvent({ nul: '\u0000', half: '\ud800' })]),
    ]);
    expect(await transactionsOf(prefix)).toBe(2);
    const actualOf = (outcome: PromiseSettledResult<AppendResult>) =>
      outcome.status === 'fulfilled'
        ? outcome.value.revision
        : outcome.reason instanceof WrongExpectedRevision && [outcome.reason.actual];
    expect(outcomes.map(actualOf)).toEqual([0, 1, [1], 0, [0], 2, 0, [2], [2], ['no-stream'], 2]);
    expect(outcomes[1]).toEqual({ status: 'fulfilled', value: first });
    expect(outcomes[6]).toEqual(outcomes[3]);
    const ids = (await store.read(hot)).map(({ id }) => id);
    expect(ids).toEqual([...hot0, ...hot1].map(({ id }) => id));
  });

  it('are as if they had come one after the other', async () => {
    const step = fc.record({
      stream: fc.integer({ min: 0, max: 2 }),
      expected: fc.integer({ min: -1, max: 5 }),
      count: fc.integer({ min: 1, max: 3 }),
      /** Repeats an earlier append of its batch, if there is one. */
      repeats: fc.option(fc.nat({ max: 9 }), { freq: 3 }),
    });
    const batches = fc.array(fc.array(step, { minLength: 1, maxLength: 10 }), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(batches, async (given) => {
        const model = createMemoryEventStore();
        const prefix = freshPrefix();
        for (const batch of given) {
          const appends: [string, ExpectedRevision, readonly NewEvent[]][] = [];
          for (const { stream, expected, count, repeats } of batch) {
            const earlier = repeats === null ? undefined : appends[repeats];
            const at = expected === -1 ? 'no-stream' : expected;
            appends.push(earlier ?? [`${prefix}${stream}`, at, newEvents(count)]);
          }
          const ours = await Promise.allSettled(appends.map((append) => store.append(...append)));
          for (const [n, append] of appends.entries()) {
            const [theirs] = await Promise.allSettled([model.append(...append)]);
            const outcome = ours[n]!;
            if (outcome.status === 'fulfilled' && theirs.status === 'rejected') {
              // It was repeated behind itself, and then stored.
              expect(appends.indexOf(append)).not.toBe(appends.lastIndexOf(append));
            } else {
              expect(revisionOf(outcome)).toEqual(revisionOf(theirs));
            }
          }
        }
        for (const stream of [0, 1, 2].map((n) => `${prefix}${n}`)) {
          const [stored, modelled] = [await store.read(stream), await model.read(stream)];
          const brief = (events: typeof stored) => events.map(({ id, revision }) => [id, revision]);
          expect(brief(stored)).toEqual(brief(modelled));
        }
      }),
      { numRuns: 60, seed: 4 },
    );
  }, 60_000);

  it('do not fail with one that the server refuses', async () => {
    await owner.query(
      "ALTER TABLE event_store.events ADD CONSTRAINT planted CHECK (type <> 'Poison') NOT VALID",
    );
    try {
      const streams = [freshStream(), freshStream(), freshStream()];
      const poison = { ...newEvent(), type: 'Poison' };
      const outcomes = await Promise.allSettled([
        store.append(streams[0]!, 'no-stream', newEvents(1)),
        store.append(streams[1]!, 'no-stream', [newEvent(), poison]),
        store.append(streams[2]!, 'no-stream', newEvents(1)),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(outcomes[1]).toMatchObject({ reason: { constraint: 'planted' } });
      expect(await store.read(streams[1]!)).toEqual([]);
    } finally {
      await owner.query('ALTER TABLE event_store.events DROP CONSTRAINT planted');
    }
  });

  it('are made once more when their connection is lost, and stored once', async () => {
    const streams = [freshStream(), freshStream()];
    let results: Promise<readonly AppendResult[]> | undefined;
    await whileLocked(async () => {
      results = Promise.all(
        streams.map((stream) => store.append(stream, 'no-stream', newEvents(1))),
      );
      results.catch(() => undefined);
      await endWriters();
    });
    expect((await results)?.map(({ revision }) => revision)).toEqual([0, 0]);
    for (const stream of streams) expect(await store.read(stream)).toHaveLength(1);
  });

  it('all reject when the server ends them again, and can be repeated', async () => {
    const appends = [freshStream(), freshStream()].map((stream) => [stream, newEvents(1)] as const);
    const tried = () =>
      Promise.allSettled(appends.map((append) => store.append(append[0], 'no-stream', append[1])));
    let outcomes: ReturnType<typeof tried> | undefined;
    await whileLocked(async () => {
      outcomes = tried();
      const [ended] = await endWriters();
      await eventually(async () => expect(await writers()).not.toContain(ended));
      await endWriters();
      await outcomes;
    });
    const unavailable = { status: 'rejected', reason: { name: 'EventStoreUnavailable' } };
    expect(await outcomes).toMatchObject([unavailable, unavailable]);
    expect((await tried()).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    for (const [stream] of appends) expect(await store.read(stream)).toHaveLength(1);
  });

  it('say so when another session keeps the lock, and go on when it lets go', async () => {
    const stream = freshStream();
    await whileLocked(async () => {
      const refused = store.append(stream, 'no-stream', newEvents(1));
      await expect(refused).rejects.toMatchObject({ name: 'EventStoreBusy', reason: 'locked' });
      expect(await store.read(stream)).toEqual([]);
    });
    expect(await store.append(stream, 'no-stream', newEvents(1))).toMatchObject({ revision: 0 });
  });

  it('wait no longer than they may, and are refused where too many wait', async () => {
    const text = 'x'.repeat(1_000_000);
    await whileLocked(async () => {
      const many = Array.from({ length: 90 }, () =>
        store.append(freshStream(), 'no-stream', [newEvent(text)]),
      );
      const outcomes = await Promise.allSettled(many);
      const reasons = new Set(
        outcomes.map((outcome) => outcome.status === 'rejected' && String(outcome.reason)),
      );
      expect([...reasons].toSorted()).toEqual([
        'EventStoreBusy: The event store is busy: another session held the lock of the event store for too long.',
        'EventStoreBusy: The event store is busy: the request waited too long for its turn.',
        'EventStoreBusy: The event store is busy: too many requests are waiting already.',
      ]);
    });
    await store.append(freshStream(), 'no-stream', newEvents(1));
  }, 60_000);
});

function revisionOf(outcome: PromiseSettledResult<AppendResult>): unknown {
  if (outcome.status === 'fulfilled') return outcome.value.revision;
  if (outcome.reason instanceof WrongExpectedRevision) return [outcome.reason.actual];
  throw outcome.reason;
}
