/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runScript } from '@patchtrail/testing';
import { Client } from 'pg';
import { openFreshStore, type OpenedStore } from '../../databases.suite.js';
import type { Position, StoredEvent } from '../../event-store.js';
import { positionFrom } from '../../position.js';
import { eventsIn, follow, freshStream, newEvent, newEvents } from '../../test-events.suite.js';
import { archiveEvents } from './archive-events.js';
import { restoreEvents } from './restore-events.js';

const SCRIPT = fileURLToPath(new URL('./archive-script.suite.ts', import.meta.url));
const SIZE = 1_000;
const awkward = {
  text: 'ü\u0000"\\\ud800\n\u2028\u2029',
  'a b': [-0.5, 1e300, null],
  nested: { '': {} },
};

describe('archive', () => {
  let opened: OpenedStore;
  let owner: Client;
  let directory: string;
  beforeEach(async () => {
    opened = await openFreshStore();
    owner = new Client({ connectionString: opened.urls.owner });
    await owner.connect();
    directory = await mkdtemp(join(tmpdir(), 'patchtrail-archive-'));
    await owner.query(`UPDATE event_store.partitioning SET size = ${SIZE}`);
    // The first partition was made with the default size; it ends where the next one begins.
    await owner.query(`ALTER TABLE event_store.events DETACH PARTITION event_store.events_from_1`);
    await owner.query('DELETE FROM event_store.partitions');
    await owner.query(`SELECT event_store.attach_partition('events_from_1', 1, ${SIZE + 1})`);
    // Positions 1 to 2,600: two whole partitions, and one that is being filled.
    for (let n = 0; n < 26; n += 1) {
      const events = [newEvent(awkward), ...newEvents(99)];
      await opened.store.append(streamOf(n), revisionOf(n), events);
    }
  });
  afterEach(async () => {
    await owner.end();
    await opened.close();
    await rm(directory, { recursive: true });
  });

  /** Even appends go to one long stream, the others to a stream each. */
  const streamOf = (n: number) => (n % 2 === 0 ? 'long-1' : `short-${n}`);
  const revisionOf = (n: number) => (n % 2 === 0 && n > 0 ? n * 50 - 1 : 'no-stream');
  const at = (position: number) => positionFrom(BigInt(position));
  const archive = (before: number) =>
    archiveEvents({ ownerUrl: opened.urls.owner, before: at(before), directory });
  const restore = (after: Position | null = null) =>
    restoreEvents({ ownerUrl: opened.urls.owner, after, directory });
  const everything = async () => {
    const found: StoredEvent[] = [];
    for (let from: Position | null = null; ;) {
      const page = await opened.store.readAll({ from, maxCount: 1_000 });
      found.push(...page.events);
      if (page.next === null) return found;
      from = page.next;
    }
  };
  const partitions = async () => {
    const { rows } = await owner.query<{ name: string }>(
      `SELECT relid::regclass::text AS name FROM pg_partition_tree('event_store.events')
       WHERE isleaf ORDER BY name`,
    );
    return rows.map(({ name }) => name);
  };

  it('has a partition ahead of the one that is being filled', async () => {
    expect(await partitions()).toEqual(
      [1, 1_001, 2_001, 3_001].map((from) => `event_store.events_from_${from}`),
    );
    expect(await everything()).toHaveLength(2_600);
  });

  it.each([1, 2])(
    'makes the next partition for an append of %d that enters the last',
    async (n) => {
      await opened.store.append('other-1', 'no-stream', newEvents(400));
      await opened.store.append('other-2', 'no-stream', newEvents(n));
      expect(await partitions()).toContain('event_store.events_from_4001');
      expect(await everything()).toHaveLength(3_000 + n);
    },
  );

  it('takes whole partitions below the position, and brings them back byte by byte', async () => {
    const { rows: texts } = await owner.query('SELECT e.*, data::text FROM event_store.events e');
    const before = await everything();
    expect(await archive(999)).toEqual([]);
    const ranges = await archive(2_500);
    expect(ranges).toMatchObject([
      { first: at(1), last: at(1_000), events: 1_000, file: 'events-1-1001.ndjson.gz' },
      { first: at(1_001), last: at(2_000), events: 1_000, file: 'events-1001-2001.ndjson.gz' },
    ]);
    expect(await partitions()).toHaveLength(2);
    expect(await archive(2_500)).toEqual([]);
    expect(await restore()).toBe(2_000);
    expect(await everything()).toEqual(before);
    const { rows: restored } = await owner.query(
      'SELECT e.*, data::text FROM event_store.events e',
    );
    expect(restored).toEqual(texts);
    expect(await restore()).toBe(0);
  });

  it('refuses readers that would pass over what is archived', async () => {
    await archive(2_001);
    const { store } = opened;
    const first = { name: 'PositionArchived', file: 'events-1-1001.ndjson.gz' };
    await expect(store.readAll()).rejects.toMatchObject({ ...first, position: null });
    await expect(store.readAll({ prefixes: ['rare-'] })).rejects.toMatchObject(first);
    await expect(store.readAll({ from: at(1_500) })).rejects.toMatchObject({
      file: 'events-1001-2001.ndjson.gz',
      range: { first: at(1_001), last: at(2_000) },
    });
    const subscribe = (after: Position | null, prefixes: readonly string[] = []) =>
      follow({ store, prefixes, after }, (items) => items.at(-1)?.kind === 'caught-up');
    await expect(subscribe(null)).rejects.toMatchObject(first);
    await expect(subscribe(at(999), ['rare-'])).rejects.toMatchObject(first);
    await expect(subscribe(at(1_999))).rejects.toMatchObject({ name: 'PositionArchived' });
    expect(eventsIn(await subscribe(at(2_000)))).toHaveLength(600);
    expect((await store.readAll({ from: at(2_000) })).events).toHaveLength(600);

    const backwards = await store.readAll({ direction: 'backwards' });
    expect(backwards.events).toHaveLength(600);
    const older = store.readAll({ direction: 'backwards', from: backwards.next });
    await expect(older).rejects.toMatchObject({ file: 'events-1001-2001.ndjson.gz' });
  });

  it('stops a subscription under which a range leaves', async () => {
    const { store } = opened;
    const seen: StoredEvent[] = [];
    const signal = AbortSignal.timeout(20_000);
    const read = async () => {
      for await (const item of store.subscribe({ after: null, prefixes: [], signal })) {
        if (item.kind !== 'event') return;
        seen.push(item.event);
        if (seen.length === 1) await archive(2_001);
      }
    };
    await expect(read()).rejects.toMatchObject({ name: 'PositionArchived' });
    expect(seen.length).toBeLessThan(2_000);
    expect(seen.map(({ position }) => position)).toEqual(seen.map((_, n) => at(n + 1)));
  });

  it('leaves streams with what is left of them, at their revisions', async () => {
    const { store } = opened;
    await archive(2_001);
    const left = await store.read('long-1');
    expect(left.map(({ revision }) => revision)).toEqual(left.map((_, n) => 1_000 + n));
    expect(await store.read('short-1')).toEqual([]);
    const again = store.append('short-1', 'no-stream', newEvents(1));
    await expect(again).rejects.toMatchObject({ name: 'WrongExpectedRevision', actual: 99 });
    expect((await store.append('short-1', 99, newEvents(1))).revision).toBe(100);
    await restore();
    expect(await store.read('short-1')).toHaveLength(101);
  });

  it('knows the head of a store of which everything is archived', async () => {
    await opened.store.append('last-1', 'no-stream', newEvents(400));
    await archive(9_999);
    expect(await opened.store.head()).toBe(at(3_000));
    expect((await opened.store.append('last-1', 399, newEvents(1))).position).toBe(at(3_001));
    expect(await restore(at(2_999))).toBe(1_000);
    expect(await opened.store.readAll({ from: at(2_000), maxCount: 1 })).toMatchObject({
      events: [{ position: at(2_001) }],
    });
  });

  it('leaves the last partition, which the next one follows, though it is full', async () => {
    await owner.query('BEGIN');
    // Nobody can make the partition ahead meanwhile.
    await owner.query('LOCK TABLE event_store.events IN SHARE UPDATE EXCLUSIVE MODE');
    for (const count of [500, 500, 400]) {
      await opened.store.append(freshStream(), 'no-stream', newEvents(count));
    }
    await owner.query('COMMIT');
    expect(await archive(9_999)).toHaveLength(3);
    expect((await opened.store.append('next-1', 'no-stream', newEvents(1))).position).toBe(
      at(4_001),
    );
    expect(await archive(9_999)).toHaveLength(1);
  });

  it.each(['UPDATE', 'DELETE', 'TRUNCATE'])('refuses %s on every partition', async (verb) => {
    await archive(1_001);
    await restore();
    for (const name of await partitions()) {
      const statements: Record<string, string> = {
        UPDATE: `UPDATE ${name} SET type = 'Changed'`,
        DELETE: `DELETE FROM ${name}`,
        TRUNCATE: `TRUNCATE ${name}`,
      };
      await owner.query('SET session_replication_role = replica');
      await expect(owner.query(statements[verb]!)).rejects.toThrow(`${verb} is refused`);
      await owner.query('RESET session_replication_role');
    }
  });

  it.each<[string, (file: string) => Promise<void>, RegExp]>([
    ['a changed file', (file) => appendFile(file, 'x'), /SHA-256/],
    ['a missing file', (file) => rm(file), /ENOENT/],
    [
      'another manifest',
      async (file) => {
        const place = file.replace('.ndjson.gz', '.manifest.json');
        const manifest = await readFile(place, 'utf8');
        await writeFile(place, manifest.replace('"format": "patch', '"format": "match'));
      },
      /format/,
    ],
  ])('restores nothing from %s', async (_, spoil, message) => {
    await archive(1_001);
    await spoil(join(directory, 'events-1-1001.ndjson.gz'));
    await expect(restore()).rejects.toThrow(message);
    await expect(opened.store.readAll()).rejects.toMatchObject({ name: 'PositionArchived' });
    expect(await partitions()).toHaveLength(3);
  });

  it('goes on where a killed run was: the file is there, and the partition too', async () => {
    const before = await everything();
    // The drop has to wait for a reader, and is killed while it does.
    await owner.query('BEGIN');
    await owner.query('LOCK TABLE event_store.events IN ACCESS SHARE MODE');
    const script = runScript(SCRIPT, { args: [opened.urls.owner, at(1_001), directory] });
    try {
      const waiting = new Client({ connectionString: opened.urls.owner });
      await waiting.connect();
      await expect(waitsForLock(waiting)).resolves.toBe(true);
      await waiting.end();
    } finally {
      await script.kill();
      await owner.query('COMMIT');
    }
    expect(await readdir(directory)).toEqual([
      'events-1-1001.manifest.json',
      'events-1-1001.ndjson.gz',
    ]);
    expect(await everything()).toEqual(before);
    expect(await archive(1_001)).toHaveLength(1);
    expect(await restore()).toBe(1_000);
    expect(await everything()).toEqual(before);
  });
});

async function waitsForLock(client: Client): Promise<boolean> {
  const end = Date.now() + 15_000;
  while (Date.now() < end) {
    const { rowCount } = await client.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database()
         AND wait_event_type = 'Lock' AND query LIKE '%DETACH%'`,
    );
    if (rowCount === 1) return true;
  }
  return false;
}
