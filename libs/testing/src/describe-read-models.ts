import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  createMemoryEventStore,
  type EventStore,
  type ProjectionDefinition,
  rebuildProjection,
  runProjection,
  type StoredEvent,
} from '@patchtrail/event-store';
import { type Database, type Migration, openDatabase, type Sql } from '@patchtrail/postgres';
import { type FreshDatabase, freshDatabase } from './fresh-database.js';
import { silentLog } from './silent-log.js';

/**
 * What every projection promises that can be built again. `golden` holds each event type, so that
 * each table gets rows.
 */
export function describeReadModels(options: {
  readModels: ProjectionDefinition;
  migrations: readonly Migration[];
  golden: readonly StoredEvent[];
}): void {
  const { readModels, migrations, golden } = options;
  const { tables } = readModels;

  describe('the read models', () => {
    let fresh: FreshDatabase;
    let db: Database;
    let store: EventStore;
    beforeEach(async () => {
      fresh = await freshDatabase();
      db = await openDatabase({ url: fresh.url, applicationName: 'spec', migrations });
      store = createMemoryEventStore();
      for (const { stream, revision, id, type, data, metadata } of golden) {
        const expected = revision === 0 ? 'no-stream' : revision - 1;
        await store.append(stream, expected, [{ id, type, data, metadata }]);
      }
    });
    afterEach(async () => {
      await db.close();
      await fresh.drop();
    });

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
      const [before, after] = await db.transaction(async (tx) => {
        // The session may have written before, in what migrated the database.
        const earlier = await writesOf(tx);
        for (const event of golden) await readModels.apply(tx, event);
        return [earlier, await writesOf(tx)];
      });
      const written = [...after].filter(([name, count]) => (before.get(name) ?? '0') !== count);
      expect(written.map(([name]) => name)).toEqual(tables.map(({ name }) => name).toSorted());
    });

    it('are the same, byte by byte, when they are built again', async () => {
      await projectDespiteFailures(readModels, store, db);
      const before = await dump();
      const { signal } = new AbortController();
      const rebuilt = await rebuildProjection({ store, db, projection: readModels, signal });
      expect(rebuilt.events).toBe(golden.length);
      expect(rebuilt.tables.filter(({ differed }) => differed)).toEqual([]);
      expect(rebuilt.tables.filter(({ rows }) => rows === 0)).toEqual([]);
      expect(await dump()).toEqual(before);
    });
  });
}

/** Rows written per table in this transaction and those before it. */
async function writesOf(tx: Sql): Promise<ReadonlyMap<string, string>> {
  const rows = await tx.rows<{ name: string; writes: string }>(
    `SELECT relname AS name, n_tup_ins + n_tup_upd + n_tup_del AS writes
       FROM pg_stat_xact_user_tables ORDER BY relname`,
  );
  return new Map(rows.map(({ name, writes }) => [name, writes]));
}

/** What is rolled back must leave nothing behind. */
async function projectDespiteFailures(
  readModels: ProjectionDefinition,
  store: EventStore,
  db: Database,
): Promise<void> {
  const stop = new AbortController();
  let failures = 3;
  const projection = runProjection({
    ...{ ...readModels, store, db, log: silentLog, signal: stop.signal },
    apply: async (tx, event) => {
      await readModels.apply(tx, event);
      if (failures > 0 && event.revision > 0) {
        failures -= 1;
        throw new Error('not yet');
      }
    },
  });
  expect(await projection.reachedHead(20_000)).toBe(true);
  stop.abort();
  await projection.done;
}
