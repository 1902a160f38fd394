/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openDatabase } from '@patchtrail/postgres';
import { freshDatabase, type FreshDatabase } from '@patchtrail/testing';
import { metadata, newEvents } from '../test-events.suite.js';
import { eventStoreMigrations } from './migrations.js';
import { openPostgresEventStore } from './postgres-event-store.js';

describe('a database of before the partitions', () => {
  let fresh: FreshDatabase;
  beforeEach(async () => {
    fresh = await freshDatabase();
  });
  afterEach(() => fresh.drop());

  const migrate = (migrations: typeof eventStoreMigrations) =>
    openDatabase({ url: fresh.url, applicationName: 'spec', migrations });

  it.each([0, 1, 5])('keeps its events, %d a stream, and goes on behind them', async (count) => {
    const before = await migrate(eventStoreMigrations.slice(0, 2));
    const events = newEvents(count);
    for (const stream of count === 0 ? [] : ['a-1', 'b-1']) {
      await before.run('SELECT event_store.append($1, -1, $2, $3, $4, $5)', [
        stream,
        events.map(({ id }) => id),
        events.map(({ type }) => type),
        events.map(({ data }) => JSON.stringify(data)),
        events.map(() => JSON.stringify(metadata)),
      ]);
    }
    const rows = 'SELECT *, data::text FROM event_store.events ORDER BY position';
    const stored = await before.rows(rows);
    await before.close();

    const after = await migrate(eventStoreMigrations);
    expect(stored).toHaveLength(2 * count);
    expect(await after.rows(rows)).toEqual(stored);
    await after.close();
    const store = await openPostgresEventStore({ url: fresh.url });
    try {
      expect(await store.read('a-1')).toMatchObject(events);
      const head = await store.head();
      const expected = count === 0 ? 'no-stream' : count - 1;
      const { revision, position } = await store.append('a-1', expected, newEvents(1));
      expect(revision).toBe(count);
      expect(await store.append('b-1', expected, newEvents(1))).toMatchObject({ revision });
      if (head !== null) expect(store.comparePositions(head, position)).toBeLessThan(0);
      expect((await store.readAll()).events).toHaveLength(2 * count + 2);
    } finally {
      await store.close();
    }
  });
});
