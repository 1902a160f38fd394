/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@patchtrail/testing';
import { Client } from 'pg';
import type { EventStore } from '../event-store.js';
import { eventStoreSuite } from '../conformance/event-store.suite.js';
import { openFreshStore, type OpenedStore } from '../databases.suite.js';
import { eventsIn, follow, freshPrefix, newEvents } from '../test-events.suite.js';
import { openPostgresEventStore } from './postgres-event-store.js';

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

eventStoreSuite('postgres', openFreshStore);

describe('event store: postgres, its own promises', () => {
  let store: EventStore;
  let urls: OpenedStore['urls'];
  let close: () => Promise<void>;
  let role: Client;
  let owner: Client;
  beforeAll(async () => {
    ({ store, urls, close } = await openFreshStore());
    [role, owner] = await Promise.all([connect(urls.role), connect(urls.owner)]);
  });
  afterAll(async () => {
    await Promise.all([role.end(), owner.end()]);
    await close();
  });

  it('lets no append overtake one that is under way', async () => {
    const prefix = freshPrefix();
    const after = await store.head();
    const [first] = newEvents(1);
    await role.query('BEGIN');
    await role.query(
      `SELECT event_store.append(ARRAY[$1], '{-1}', '{0}', NULL, '{1}', ARRAY[$1], '{0}',
         ARRAY[$2::uuid], ARRAY[$3], ARRAY[$4::json], ARRAY[$5::json])`,
      [
        `${prefix}first`,
        first?.id,
        first?.type,
        JSON.stringify(first?.data),
        JSON.stringify(first?.metadata),
      ],
    );
    const second = store.append(`${prefix}second`, 'no-stream', newEvents(1));
    const waits = async () => {
      const { rowCount } = await owner.query(
        `SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
         WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted`,
      );
      expect(rowCount).toBe(1);
    };
    await eventually(waits);
    await role.query('COMMIT');
    await second;
    const items = await follow(
      { store, prefixes: [prefix], after },
      (seen) => eventsIn(seen).length === 2,
    );
    expect(eventsIn(items).map(({ stream }) => stream)).toEqual([
      `${prefix}first`,
      `${prefix}second`,
    ]);
  });

  it.each([
    ['UPDATE', "UPDATE event_store.events SET type = 'Changed'"],
    ['DELETE', 'DELETE FROM event_store.events'],
    ['TRUNCATE', 'TRUNCATE event_store.events'],
    ['TRUNCATE', 'TRUNCATE event_store.events CASCADE'],
  ])('refuses %s: the role has no right, and the owner meets the trigger', async (verb, sql) => {
    const stream = `${freshPrefix()}1`;
    await store.append(stream, 'no-stream', newEvents(1));
    const before = await store.read(stream);
    await expect(role.query(sql)).rejects.toThrow('permission denied');
    const immutable = `events are immutable: ${verb} is refused`;
    await expect(owner.query(sql)).rejects.toThrow(immutable);
    await owner.query('SET session_replication_role = replica');
    await expect(owner.query(sql)).rejects.toThrow(immutable);
    await owner.query('RESET session_replication_role');
    expect(await store.read(stream)).toEqual(before);
  });

  it.each([
    [
      'events',
      "INSERT INTO event_store.events SELECT 9, 'a-1', 0, id, type, data, metadata FROM event_store.events",
    ],
    ['events', 'INSERT INTO event_store.events_from_1 SELECT * FROM event_store.events'],
    ['streams', "INSERT INTO event_store.streams VALUES ('a-1', 7, 1, 1)"],
    ['streams', 'UPDATE event_store.streams SET revision = 7'],
    ['positions', "SELECT setval('event_store.last_position', 7)"],
    ['partitions', 'SELECT event_store.make_room(7)'],
    ['partitions', 'UPDATE event_store.partitioning SET size = 1000'],
    ['archive', 'DELETE FROM event_store.archived_ranges'],
    ['trigger', 'ALTER TABLE event_store.events DISABLE TRIGGER ALL'],
  ])('gives the role no hold on the %s', async (_, sql) => {
    await expect(role.query(sql)).rejects.toThrow(/permission denied|must be owner/);
  });

  it('stamps events with the clock of the database', async () => {
    const stream = `${freshPrefix()}1`;
    const clock = async () => {
      const { rows } = await role.query<{ now: Date }>('SELECT clock_timestamp() AS now');
      return rows[0]?.now.getTime() ?? Number.NaN;
    };
    const from = await clock();
    await store.append(stream, 'no-stream', newEvents(1));
    const to = await clock();
    const [event] = await store.read(stream);
    const recordedAt = Date.parse(event?.recordedAt ?? '');
    expect(recordedAt).toBeGreaterThanOrEqual(from);
    expect(recordedAt).toBeLessThanOrEqual(to);
  });

  it('ends a subscription without an error when its connections are lost', async () => {
    const after = await store.head();
    const prefixes = [freshPrefix()];
    const signal = AbortSignal.timeout(20_000);
    const terminate = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'patchtrail event store%'`;
    const blocked = await connect(urls.owner);
    let isLive = false;
    for await (const item of store.subscribe({ after, prefixes, signal })) {
      if (item.kind !== 'caught-up' || isLive) continue;
      isLive = true;
      // The next query waits for the table, and is cut off while it does.
      await blocked.query('BEGIN; LOCK TABLE event_store.events IN ACCESS EXCLUSIVE MODE');
      void eventually(async () => {
        const { rows } = await owner.query<{ waiting: string }>(
          `SELECT count(*) AS waiting FROM pg_stat_activity
           WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        expect(rows[0]?.waiting).toBe('1');
      }).then(() => owner.query(terminate));
    }
    expect(signal.aborted).toBe(false);
    await blocked.end();
    const { position } = await store.append(`${prefixes[0] ?? ''}1`, 'no-stream', newEvents(1));
    const items = await follow({ store, prefixes, after }, (seen) => eventsIn(seen).length === 1);
    expect(eventsIn(items)[0]?.position).toBe(position);
  });

  it('ends a subscription without an error when the store is closed under it', async () => {
    const closing = await openPostgresEventStore({ url: urls.role });
    const signal = AbortSignal.timeout(20_000);
    const items = closing.subscribe({ after: null, prefixes: [freshPrefix()], signal });
    let caughtUp = 0;
    for await (const { kind } of items) {
      expect(kind).toBe('caught-up');
      caughtUp += 1;
      await closing.close();
    }
    expect(caughtUp).toBe(1);
    expect(signal.aborted).toBe(false);
  });

  it('opens only a store that is there', async () => {
    const url = urls.owner.replace(/[^/]*$/, 'postgres');
    await expect(openPostgresEventStore({ url })).rejects.toThrow('event_store');
  });
});
