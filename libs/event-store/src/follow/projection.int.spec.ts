/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Database, Sql } from '@patchtrail/postgres';
import { eventually } from '@patchtrail/testing';
import { openFreshDatabase } from '../databases.suite.js';
import type { EventStore, StoredEvent } from '../event-store.js';
import { createTestLog } from '../log.suite.js';
import { createMemoryEventStore } from '../memory-event-store.js';
import { newEvents } from '../test-events.suite.js';
import { type ProjectionOptions, runProjection } from './projection.js';

describe('runProjection', () => {
  let store: EventStore;
  let db: Database;
  let stop: AbortController;
  let close: () => Promise<void>;
  let log: ReturnType<typeof createTestLog>;
  const running: { done: Promise<void> }[] = [];

  beforeEach(async () => {
    store = createMemoryEventStore();
    stop = new AbortController();
    log = createTestLog();
    ({ db, close } = await openFreshDatabase());
    // Without a key: what is applied twice is there twice.
    await db.run('CREATE TABLE seen (stream text, revision integer, transaction xid8)');
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(running.splice(0).map(({ done }) => done));
    await close();
  });

  const record = async (tx: Sql, { stream, revision }: StoredEvent) => {
    await tx.run('INSERT INTO seen VALUES ($1, $2, pg_current_xact_id())', [stream, revision]);
  };
  const run = (change: Partial<ProjectionOptions> = {}) => {
    const options = { store, db, name: 'seen', prefixes: ['counter-'], apply: record, log };
    const projection = runProjection({ ...options, signal: stop.signal, ...change });
    running.push(projection);
    return projection;
  };
  const seen = () =>
    db.rows<{ stream: string; revision: number }>(
      'SELECT stream, revision FROM seen ORDER BY stream, revision',
    );
  const checkpoint = async () => {
    const rows = await db.rows<{ position: string | null }>('SELECT position FROM checkpoints');
    expect(rows).toHaveLength(1);
    return rows[0]?.position;
  };
  const append = (stream: string, count: number) =>
    store.append(stream, 'no-stream', newEvents(count));

  it('applies what is there and what comes, in order, with its checkpoint', async () => {
    await append('counter-1', 2);
    await append('foreign-1', 1);
    const projection = run();
    await eventually(() => expect(projection.caughtUp()).toBe(true));
    const { position } = await append('counter-2', 1);
    expect(await projection.reached(position, 20_000)).toBe(true);
    expect(await seen()).toEqual([
      { stream: 'counter-1', revision: 0 },
      { stream: 'counter-1', revision: 1 },
      { stream: 'counter-2', revision: 0 },
    ]);
    expect(await checkpoint()).toBe(position);
    expect(projection.position()).toBe(position);
    expect(projection.lastError()).toBeNull();
  });

  it('applies at most 200 events in a transaction', async () => {
    await append('counter-1', 450);
    const projection = run();
    expect(await projection.reachedHead(20_000)).toBe(true);
    const sizes = await db.rows<{ size: number }>(
      'SELECT count(*)::int AS size FROM seen GROUP BY transaction ORDER BY transaction',
    );
    expect(sizes.map(({ size }) => size)).toEqual([200, 200, 50]);
  });

  it('goes on where it stopped', async () => {
    await append('counter-1', 3);
    const first = run();
    expect(await first.reachedHead(20_000)).toBe(true);
    stop.abort();
    await first.done;
    await append('counter-2', 2);
    stop = new AbortController();
    expect(await run().reachedHead(20_000)).toBe(true);
    expect(await seen()).toHaveLength(5);
  });

  it('moves past the events of others, and saves that now and then', async () => {
    const projection = run();
    for (let n = 0; n < 120; n += 1) {
      const { position } = await append(`foreign-${n}`, 1);
      expect(await projection.reached(position, 20_000)).toBe(true);
      if (n < 50) expect(await checkpoint()).toBeNull();
    }
    expect(await checkpoint()).not.toBeNull();
    expect(await seen()).toEqual([]);
  });

  it('halts at an event that it cannot apply, tells, and goes on when it can', async () => {
    let isBroken = true;
    const apply = async (tx: Sql, event: StoredEvent) => {
      await record(tx, event);
      if (isBroken && event.revision === 1) throw new Error('no such column');
    };
    const { position } = await append('counter-1', 3);
    const projection = run({ apply });
    await eventually(() => {
      expect(projection.lastError()).toBe(
        'Counted at counter-1@1 cannot be applied: no such column',
      );
      expect(log.lines.filter(({ level }) => level === 'error').length).toBeGreaterThan(2);
    });
    expect(projection.caughtUp()).toBe(false);
    expect(projection.position()).toBeNull();
    expect(await seen()).toEqual([]);
    isBroken = false;
    expect(await projection.reached(position, 20_000)).toBe(true);
    expect(projection.lastError()).toBeNull();
    expect(await seen()).toHaveLength(3);
  });

  it('waits longer after each failure', async () => {
    await append('counter-1', 1);
    const at: number[] = [];
    const apply = () => {
      at.push(performance.now());
      return Promise.reject(new Error('down'));
    };
    run({ apply });
    await eventually(() => expect(at.length).toBeGreaterThanOrEqual(6));
    const waits = at.slice(1).map((time, n) => time - (at[n] ?? 0));
    // Doubling from 50 ms, at least half of it kept: 400 ms before the sixth try.
    expect(waits[4]).toBeGreaterThan(390);
  });

  it('is shared by two runners of a name, without an error: each event is applied by one', async () => {
    const [one, two] = [run(), run()];
    for (let n = 0; n < 30; n += 1) {
      const { position } = await append(`counter-${n}`, 2);
      await append(`foreign-${n}`, 1);
      expect(await one.reached(position, 20_000)).toBe(true);
      expect(await two.reached(position, 20_000)).toBe(true);
      expect(await seen()).toHaveLength(2 * (n + 1));
    }
    for (const projection of [one, two]) {
      expect(await projection.reachedHead(20_000)).toBe(true);
      await eventually(() => expect(projection.caughtUp()).toBe(true));
    }
    const applied = await seen();
    expect(new Set(applied.map((row) => JSON.stringify(row))).size).toBe(60);
    expect(log.lines.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  it('tells how far the rows are where another runner is ahead', async () => {
    await append('counter-1', 500);
    let isHeld = true;
    const held: EventStore = {
      ...store,
      async *subscribe(options) {
        for await (const item of store.subscribe(options)) {
          yield item;
          // Its first batch is under way when the other runner has applied everything.
          await eventually(() => expect(isHeld).toBe(false), { deadlineMs: 20_000 });
        }
      },
    };
    const behind = run({ store: held });
    expect(await run().reachedHead(10_000)).toBe(true);
    expect(behind.position()).toBeNull();
    isHeld = false;
    expect(await behind.reachedHead(10_000)).toBe(true);
    expect(await seen()).toHaveLength(500);
    expect(log.lines.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  it('starts again from a checkpoint that was set back', async () => {
    await append('counter-1', 2);
    const projection = run();
    expect(await projection.reachedHead(20_000)).toBe(true);
    await db.transaction(async (tx) => {
      await tx.run('DELETE FROM seen');
      await tx.run('UPDATE checkpoints SET position = NULL');
    });
    await append('counter-2', 1);
    await eventually(async () => expect(await seen()).toHaveLength(3));
    expect(
      log.lines.some(({ fields }) => String(fields['err']).startsWith('CheckpointMoved')),
    ).toBe(true);
  });

  it('subscribes again where a subscription ends without an error', async () => {
    let subscriptions = 0;
    const brittle: EventStore = {
      ...store,
      async *subscribe(options) {
        subscriptions += 1;
        let items = 0;
        for await (const item of store.subscribe(options)) {
          yield item;
          items += 1;
          if (items === 2) return;
        }
      },
    };
    await append('counter-1', 1);
    const projection = run({ store: brittle });
    await eventually(() => expect(subscriptions).toBeGreaterThan(1));
    await append('counter-2', 1);
    expect(await projection.reachedHead(20_000)).toBe(true);
    expect(await seen()).toHaveLength(2);
  });

  it('answers false where a position is not reached in time, or it stopped', async () => {
    const other = createMemoryEventStore();
    const { position } = await other.append('counter-1', 'no-stream', newEvents(3));
    const projection = run();
    expect(await projection.reached(position, 20)).toBe(false);
    const waiting = projection.reached(position, 60_000);
    stop.abort();
    await projection.done;
    expect(await waiting).toBe(false);
    expect(await projection.reached(position, 60_000)).toBe(false);
  });
});
