/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Database } from '@patchtrail/postgres';
import { eventually } from '@patchtrail/testing';
import { Client } from 'pg';
import { openFreshDatabase } from '../databases.suite.js';
import type { EventStore } from '../event-store.js';
import { createTestLog } from '../log.suite.js';
import { createMemoryEventStore } from '../memory-event-store.js';
import { newEvents } from '../test-events.suite.js';
import { runProjection } from './projection.js';
import { rebuildProjection, type RebuildOptions, RebuildUnderWay, SwapRefused } from './rebuild.js';
import {
  appendTo,
  belongings,
  COUNTER_TABLES,
  counterRows,
  dump,
  timerEvent,
} from './rebuild.suite.js';
import { runTimers } from './timers.js';

const DEADLINE_MS = 20_000;

describe('rebuildProjection', () => {
  let store: EventStore;
  let db: Database;
  let stop: AbortController;
  let close: () => Promise<void>;
  let running: { done: Promise<void> }[];

  beforeEach(async () => {
    store = createMemoryEventStore();
    stop = new AbortController();
    running = [];
    ({ db, close } = await openFreshDatabase());
    await db.run(COUNTER_TABLES);
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(running.map(({ done }) => done));
    await close();
  });

  const project = () => {
    const log = createTestLog();
    const projection = runProjection({ ...counterRows, store, db, signal: stop.signal, log });
    running.push(projection);
    return projection;
  };
  const projected = async () => {
    const projection = project();
    expect(await projection.reachedHead(DEADLINE_MS)).toBe(true);
    return projection;
  };
  const rebuild = (change: Partial<RebuildOptions> = {}) => {
    const options = { store, db, projection: counterRows, signal: stop.signal };
    return rebuildProjection({ ...options, ...change });
  };
  const leftovers = () => db.rows(`SELECT 1 FROM pg_namespace WHERE nspname LIKE 'rebuild%'`);
  const fill = async (streams: number, events: number) => {
    for (let n = 0; n < streams; n += 1) {
      await store.append(`counter-${n}`, 'no-stream', newEvents(events));
      await store.append(`foreign-${n}`, 'no-stream', newEvents(1));
    }
  };

  it('makes the same rows while appends go on, and nobody sees them incomplete', async () => {
    await fill(6, 250);
    const projection = await projected();
    const load = new AbortController();
    const writers = [0, 1, 2, 3].map(async (writer) => {
      for (let n = 0; !load.signal.aborted && !stop.signal.aborted; n += 1) {
        await appendTo(store, `counter-w${writer}_${n % 5}`, newEvents(3));
        await projection.reachedHead(DEADLINE_MS);
      }
    });
    const counts: number[] = [];
    const reader = (async () => {
      while (!load.signal.aborted) {
        const [row] = await db.rows<{ count: number }>(
          'SELECT count(*)::int FROM entries e JOIN counters c ON c.number = e.counter',
        );
        counts.push(row?.count ?? 0);
      }
    })();
    const rebuilt = await rebuild();
    load.abort();
    await Promise.all([...writers, reader]);

    expect(rebuilt.tables.map(({ name, differed }) => [name, differed])).toEqual([
      ['counters', false],
      ['entries', false],
      ['timers', false],
    ]);
    expect(counts[0]).toBeGreaterThanOrEqual(1_500);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(counts.at(-1)).toBeGreaterThan(counts[0] ?? Infinity);
    expect(await projection.reachedHead(DEADLINE_MS)).toBe(true);
    expect(projection.lastError()).toBeNull();

    const live = await dump(db);
    const again = await rebuild();
    expect(again.position).toBe(projection.position());
    expect(again.tables.some(({ differed }) => differed)).toBe(false);
    expect(await dump(db)).toEqual(live);
    expect(await leftovers()).toEqual([]);
  }, 120_000);

  it('mends rows that are not those of the events, and says which tables had any', async () => {
    await fill(3, 4);
    const projection = await projected();
    const before = await dump(db);
    await db.run(`UPDATE counters SET total = 99 WHERE stream = 'counter-1'`);
    await db.run('DELETE FROM entries WHERE revision = 2');
    expect(await dump(db)).not.toEqual(before);
    const progress: unknown[] = [];
    const rebuilt = await rebuild({ onProgress: (one) => progress.push(one) });
    expect(rebuilt).toEqual({
      position: projection.position(),
      events: 12,
      tables: [
        { name: 'counters', rowsBefore: 3, rows: 3, differed: true },
        { name: 'entries', rowsBefore: 9, rows: 12, differed: true },
        { name: 'timers', rowsBefore: 0, rows: 0, differed: false },
      ],
    });
    expect(await dump(db)).toEqual(before);
    await fill(0, 0);
    await appendTo(store, 'counter-0', newEvents(1));
    expect(await projection.reachedHead(DEADLINE_MS)).toBe(true);
    expect((await dump(db))['entries']).toHaveLength(13);
  });

  it('mends a projection that has stopped at rows that it cannot go on from', async () => {
    await fill(1, 2);
    const projection = await projected();
    await db.run('DELETE FROM entries');
    await db.run(`UPDATE counters SET number = 7`);
    await db.run(`INSERT INTO counters VALUES ('other', 9223372036854775807)`);
    await appendTo(store, 'counter-new', newEvents(1));
    await eventually(() => expect(projection.lastError()).toMatch(/out of range/));
    await rebuild();
    expect(await projection.reachedHead(DEADLINE_MS)).toBe(true);
    expect((await dump(db))['entries']).toHaveLength(3);
  });

  it('applies in batches and tells how far it is', async () => {
    await fill(3, 450);
    await projected();
    const progress: number[] = [];
    const rebuilt = await rebuild({ onProgress: ({ events }) => progress.push(events) });
    expect(progress).toEqual([500, 1_000]);
    expect(rebuilt.events).toBe(1_350);
  });

  it('keeps names, keys, checks, indexes, defaults, the owner and grants', async () => {
    const role = `"owner ${Math.abs(process.pid)}"`;
    await db.run(`CREATE ROLE ${role}`);
    try {
      await db.run(`ALTER TABLE counters OWNER TO ${role}`);
      await db.run(`GRANT SELECT ON counters TO PUBLIC`);
      await db.run(`GRANT SELECT, INSERT ON entries TO ${role} WITH GRANT OPTION`);
      await db.run(`GRANT UPDATE (revision) ON entries TO ${role}`);
      await fill(2, 3);
      await projected();
      const before = await belongings(db);
      expect(before.length).toBeGreaterThan(30);
      await rebuild();
      expect(await belongings(db)).toEqual(before);
      await expect(db.run('UPDATE counters SET total = -1')).rejects.toMatchObject({
        constraint: 'total_is_positive',
      });
      await expect(db.run('DELETE FROM counters')).rejects.toMatchObject({
        constraint: 'entry_of',
      });
    } finally {
      await db.run(`DROP OWNED BY ${role} CASCADE; DROP ROLE ${role}`);
    }
  });

  it('leaves the prepared statements of others working', async () => {
    await fill(2, 3);
    await projected();
    const client = new Client({ connectionString: db.url });
    await client.connect();
    try {
      const prepared = { name: 'total', text: 'SELECT total FROM counters ORDER BY stream' };
      const before = await client.query(prepared);
      await db.run('UPDATE counters SET total = 99');
      await rebuild();
      expect((await client.query(prepared)).rows).toEqual(before.rows);
    } finally {
      await client.end();
    }
  });

  it('keeps what became of timers and fires none of them twice', async () => {
    const past = '2026-11-20T09:00:00Z';
    await appendTo(store, 'counter-1', [timerEvent('a', past), timerEvent('b', past)]);
    const projection = await projected();
    const fired: string[] = [];
    const broken = new Set(['c']);
    running.push(
      runTimers({
        ...{ db, projection, signal: stop.signal, log: createTestLog(), pollMs: 5 },
        now: () => new Date('2026-11-21T09:00:00Z'),
        elapse: ({ timerId, generation }) => {
          if (broken.has(timerId)) return Promise.reject(new Error('not now'));
          fired.push(`${timerId}${generation}`);
          return Promise.resolve();
        },
      }),
    );
    await eventually(() => expect(fired.toSorted()).toEqual(['a1', 'b1']));
    await appendTo(store, 'counter-1', [timerEvent('c', past), timerEvent('a', past, 2)]);
    const tries = () => db.rows('SELECT tries, last_error FROM timers WHERE timer_id = $1', ['c']);
    await eventually(async () => {
      expect(fired).toHaveLength(3);
      expect(await tries()).toEqual([{ tries: 1, last_error: 'not now' }]);
    });
    await eventually(async () => {
      const open = `SELECT 1 FROM timers WHERE elapsed_at IS NULL AND timer_id <> 'c'`;
      expect(await db.rows(open)).toEqual([]);
    });
    const before = await dump(db);
    await db.run(`UPDATE timers SET purpose = 'damaged' WHERE timer_id = 'b'`);
    const rebuilt = await rebuild();
    expect(rebuilt.tables.at(-1)).toEqual({
      ...{ name: 'timers', rowsBefore: 3, rows: 3, differed: true },
    });
    expect(await dump(db)).toEqual(before);
    // One that is due now tells that the timers have looked since.
    await appendTo(store, 'counter-1', [timerEvent('d', past)]);
    await eventually(() => expect(fired).toContain('d1'));
    expect(fired.toSorted()).toEqual(['a1', 'a2', 'b1', 'd1']);
  });

  it('is refused while another one is under way', async () => {
    await fill(2, 300);
    await projected();
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (go = resolve));
    let isReading = false;
    const slow: EventStore = {
      ...store,
      readAll: async (options) => {
        isReading = true;
        await gate;
        return store.readAll(options);
      },
    };
    const first = rebuild({ store: slow });
    await eventually(() => expect(isReading).toBe(true));
    await expect(rebuild()).rejects.toThrow(RebuildUnderWay);
    go();
    expect((await first).events).toBe(600);
    expect((await rebuild()).events).toBe(600);
  });

  it('waits for those who use the tables, and gives way where it takes too long', async () => {
    await fill(2, 3);
    await projected();
    const before = await dump(db);
    let tries = 0;
    const counted: EventStore = {
      ...store,
      readAll: (options) => {
        tries += 1;
        return store.readAll(options);
      },
    };
    await db.transaction(async (tx) => {
      await tx.rows('SELECT 1 FROM entries');
      await expect(rebuild({ swapTriesMax: 2 })).rejects.toThrow(SwapRefused);
      expect(await leftovers()).toEqual([]);
    });
    expect(await dump(db)).toEqual(before);
    const { rebuilt } = await db.transaction(async (tx) => {
      await tx.rows('SELECT 1 FROM counters');
      const waiting = rebuild({ store: counted });
      // Each try reads once to see where it is and once for the swap.
      await eventually(() => expect(tries).toBeGreaterThan(4));
      return { rebuilt: waiting };
    });
    expect((await rebuilt).events).toBe(6);
    expect(await dump(db)).toEqual(before);
  });

  const refusals: readonly (readonly [string, () => Promise<Partial<RebuildOptions>>, RegExp])[] = [
    [
      'an event that cannot be applied',
      () => {
        const apply = () => Promise.reject(new Error('no such column'));
        return Promise.resolve({ projection: { ...counterRows, apply } });
      },
      /^Counted at counter-0@0 cannot be applied: no such column$/,
    ],
    [
      'a stream whose beginning is no longer there',
      () => {
        const readAll: EventStore['readAll'] = async (options) => {
          const page = await store.readAll(options);
          return { ...page, events: page.events.slice(2) };
        };
        return Promise.resolve({ store: { ...store, readAll } });
      },
      /^Stream counter-0 goes on at revision 2, not 0/,
    ],
    [
      'another store than the one that the rows are made from',
      () => Promise.resolve({ store: createMemoryEventStore() }),
      /^This database follows the event store/,
    ],
    [
      'a table that is not there',
      () => Promise.resolve({ projection: { ...counterRows, tables: [{ name: 'gone' }] } }),
      /^There is no table public.gone.$/,
    ],
    [
      'a table that apply writes and that is not named',
      () => Promise.resolve({ projection: { ...counterRows, tables: [{ name: 'counters' }] } }),
      /relation "timers|entries" does not exist/,
    ],
    [
      'a table with a trigger',
      async () => {
        await db.run(
          `CREATE TRIGGER watch BEFORE UPDATE ON counters
           FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
        );
        return {};
      },
      /^public.counters cannot be rebuilt: it has triggers/,
    ],
    [
      'a table with a sequence',
      async () => {
        await db.run('ALTER TABLE entries ADD id bigint GENERATED ALWAYS AS IDENTITY');
        return {};
      },
      /^public.entries cannot be rebuilt: it has .* sequences/,
    ],
    [
      'a table that something else depends on',
      async () => {
        await db.run('CREATE VIEW large AS SELECT * FROM counters WHERE total > 2');
        return {};
      },
      /other objects depend on/,
    ],
  ];
  it.each(refusals)('changes nothing for %s', async (_, given, reason) => {
    await fill(2, 3);
    const bound = await rebuild();
    expect(bound).toMatchObject({ position: null, events: 0 });
    await projected();
    await appendTo(store, 'counter-0', [timerEvent('a', '2026-11-21T09:00:00Z')]);
    await projected();
    const change = await given();
    const before = [await dump(db), await belongings(db)];
    await expect(rebuild(change)).rejects.toThrow(reason);
    expect([await dump(db), await belongings(db)]).toEqual(before);
  });

  it('ends where it is told to', async () => {
    await fill(3, 400);
    await projected();
    const told = new AbortController();
    const onProgress = () => told.abort(new Error('enough'));
    await expect(rebuild({ signal: told.signal, onProgress })).rejects.toThrow('enough');
    expect(await leftovers()).toEqual([]);
    expect((await dump(db))['entries']).toHaveLength(1_200);
  });
});
