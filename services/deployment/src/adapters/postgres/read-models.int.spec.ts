import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  createMemoryEventStore,
  type EventStore,
  rebuildProjection,
  runProjection,
} from '@patchtrail/event-store';
import { goldenEvents } from '@patchtrail/event-store/golden';
import { type Database, openDatabase, type Sql } from '@patchtrail/postgres';
import { type FreshDatabase, freshDatabase, silentLog } from '@patchtrail/testing';
import { GOLDEN, SCENARIOS } from '../event-store/golden.suite.js';
import { deploymentMigrations } from './migrations.js';
import { deploymentReadModels } from './read-models.js';

const { tables } = deploymentReadModels;

describe('the read models', () => {
  let fresh: FreshDatabase;
  let db: Database;
  let store: EventStore;
  let stop: AbortController;
  beforeEach(async () => {
    stop = new AbortController();
    fresh = await freshDatabase();
    const migrations = deploymentMigrations;
    db = await openDatabase({ url: fresh.url, applicationName: 'spec', migrations });
    store = createMemoryEventStore();
    for (const { stream, revision, id, type, data, metadata } of golden()) {
      const expected = revision === 0 ? 'no-stream' : revision - 1;
      await store.append(stream, expected, [{ id, type, data, metadata }]);
    }
  });
  afterEach(async () => {
    await db.close();
    await fresh.drop();
  });

  /** Every event of every type. */
  const golden = () => SCENARIOS.flatMap((scenario) => goldenEvents(GOLDEN, scenario));
  const dump = () =>
    Promise.all(
      tables.map(async ({ name }) => {
        const rows = await db.rows<{ row: string }>(
          `SELECT one::text AS row FROM ${name} one ORDER BY one::text COLLATE "C"`,
        );
        return [name, ...rows.map(({ row }) => row)];
      }),
    );

  it('write the tables that a rebuild replaces, and no other', async () => {
    const writes = async (tx: Sql) => {
      const rows = await tx.rows<{ name: string; writes: string }>(
        `SELECT relname AS name, n_tup_ins + n_tup_upd + n_tup_del AS writes
           FROM pg_stat_xact_user_tables ORDER BY relname`,
      );
      return rows.map((row) => [row.name, row.writes] as const);
    };
    const [before, after] = await db.transaction(async (tx) => {
      // The session may have written before, in what migrated the database.
      const earlier = new Map(await writes(tx));
      for (const event of golden()) await deploymentReadModels.apply(tx, event);
      return [earlier, await writes(tx)];
    });
    const written = after.filter(([name, count]) => (before.get(name) ?? '0') !== count);
    expect(written.map(([name]) => name)).toEqual(tables.map(({ name }) => name).toSorted());
  });

  it('are the same, byte by byte, when they are built again', async () => {
    let failures = 3;
    const projection = runProjection({
      ...{ ...deploymentReadModels, store, db, log: silentLog, signal: stop.signal },
      apply: async (tx, event) => {
        await deploymentReadModels.apply(tx, event);
        // What was rolled back must leave nothing behind.
        if (failures > 0 && event.revision > 0) {
          failures -= 1;
          throw new Error('not yet');
        }
      },
    });
    expect(await projection.reachedHead(20_000)).toBe(true);
    stop.abort();
    await projection.done;

    const before = await dump();
    const { signal } = new AbortController();
    const rebuilt = await rebuildProjection({
      store,
      db,
      projection: deploymentReadModels,
      signal,
    });
    expect(rebuilt.events).toBe(golden().length);
    expect(rebuilt.tables.filter(({ differed }) => differed)).toEqual([]);
    expect(rebuilt.tables.filter(({ rows }) => rows === 0)).toEqual([]);
    expect(await dump()).toEqual(before);
  });
});
