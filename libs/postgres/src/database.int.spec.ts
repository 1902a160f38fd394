import { freshDatabase, type FreshDatabase } from '@patchtrail/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Database, openDatabase } from './index.js';

const tables = { name: 'spec-001-tables', sql: 'CREATE TABLE a (id int PRIMARY KEY, at bigint)' };
const more = { name: 'spec-002-more', sql: 'CREATE TABLE b (id int); INSERT INTO b VALUES (1)' };

describe('a database', () => {
  let fresh: FreshDatabase;
  let db: Database;
  beforeAll(async () => {
    fresh = await freshDatabase('database');
    db = await openDatabase({ url: fresh.url, applicationName: 'spec', migrations: [tables] });
  });
  beforeEach(async () => {
    await db.run('TRUNCATE a');
  });
  afterAll(async () => {
    await db.close();
    await fresh.drop();
  });
  const count = async (): Promise<unknown> => db.rows('SELECT count(*)::int AS n FROM a');

  it('answers every statement in one shape', async () => {
    const insert = 'INSERT INTO a VALUES ($1, $2) RETURNING id, at';
    expect(await db.rows(insert, [1, '9007199254740993'])).toEqual([
      { id: 1, at: '9007199254740993' },
    ]);
    expect(await db.rows('UPDATE a SET at = 2 RETURNING id')).toEqual([{ id: 1 }]);
    expect(await db.run('UPDATE a SET at = 3')).toBe(1);
    expect(await db.run('INSERT INTO a VALUES (2), (3)')).toBe(2);
    expect(await db.rows('DELETE FROM a WHERE id > $1 RETURNING id', [2])).toEqual([{ id: 3 }]);
    expect(await db.run('DELETE FROM a')).toBe(2);
    expect(await db.run('SET LOCAL work_mem = 65536')).toBe(0);
  });

  it('commits a transaction and hands its result over', async () => {
    const ids = await db.transaction((tx) => tx.rows('INSERT INTO a VALUES (1) RETURNING id'));
    expect(ids).toEqual([{ id: 1 }]);
    expect(await count()).toEqual([{ n: 1 }]);
  });

  it('rolls back when the work fails, and throws what it threw', async () => {
    const failure = Object.assign(new Error('no'), { code: 'quorum-too-small' });
    const work = db.transaction(async (tx) => {
      await tx.run('INSERT INTO a VALUES (1)');
      throw failure;
    });
    await expect(work).rejects.toBe(failure);
    expect(await count()).toEqual([{ n: 0 }]);
  });

  it('sees in a transaction what others commit meanwhile', async () => {
    await db.transaction(async (tx) => {
      expect(await tx.rows('SELECT id FROM a')).toEqual([]);
      await db.run('INSERT INTO a VALUES (7)');
      expect(await tx.rows('SELECT id FROM a')).toEqual([{ id: 7 }]);
    });
  });

  it('fails with SQLSTATE and constraint, without statement and values', async () => {
    await db.run('INSERT INTO a VALUES (1)');
    const again = db.run('INSERT INTO a VALUES ($1, $2)', [1, '4242']);
    await expect(again).rejects.toMatchObject({
      name: 'SqlError',
      code: '23505',
      constraint: 'a_pkey',
    });
    const error: unknown = await again.catch((caught: unknown) => caught);
    expect(JSON.stringify(error) + String(error)).not.toMatch(/INSERT|4242/);
  });

  it('bounds statements, lock waits and idle transactions', async () => {
    const settings = await db.rows(
      `SELECT name, setting FROM pg_settings WHERE name IN
       ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout') ORDER BY name`,
    );
    expect(settings).toEqual([
      { name: 'idle_in_transaction_session_timeout', setting: '60000' },
      { name: 'lock_timeout', setting: '10000' },
      { name: 'statement_timeout', setting: '30000' },
    ]);
  });

  it('goes on after all its connections were cut, inside a transaction too', async () => {
    const other = await openDatabase({ url: fresh.url, applicationName: 'killer', poolMax: 1 });
    const cut = async (): Promise<number> =>
      other.run(
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
         WHERE application_name = 'spec' AND datname = current_database()`,
      );
    try {
      await db.rows('SELECT 1');
      expect(await cut()).toBeGreaterThan(0);
      expect(await db.rows('SELECT 1 AS one')).toEqual([{ one: 1 }]);
      const lost = db.transaction(async (tx) => {
        await tx.run('INSERT INTO a VALUES (1)');
        await cut();
        await tx.run('INSERT INTO a VALUES (2)');
      });
      await expect(lost).rejects.toThrow();
      expect(await count()).toEqual([{ n: 0 }]);
    } finally {
      await other.close();
    }
  });

  it('refuses a server that is not there', async () => {
    const url = 'postgres://nobody@127.0.0.1:1/none';
    for (const migrations of [[], [tables]])
      await expect(openDatabase({ url, applicationName: 'x', migrations })).rejects.toMatchObject({
        name: 'SqlError',
        code: 'ECONNREFUSED',
      });
  });
});

describe('migrations', () => {
  let fresh: FreshDatabase;
  beforeEach(async () => {
    fresh = await freshDatabase('migrations');
  });
  afterEach(() => fresh.drop());
  const open = (...migrations: { name: string; sql: string }[]): Promise<Database> =>
    openDatabase({ url: fresh.url, applicationName: 'spec', migrations });
  const used = async <T>(database: Promise<Database>, use: (db: Database) => Promise<T>) => {
    const db = await database;
    return use(db).finally(() => db.close());
  };

  it('run once when several processes open the database at the same time', async () => {
    const opened = await Promise.all([1, 2, 3, 4].map(() => open(tables, more)));
    try {
      expect(await opened[0]!.rows('SELECT id FROM b')).toEqual([{ id: 1 }]);
      expect(await opened[1]!.rows('SELECT 1 FROM schema_migrations')).toHaveLength(2);
    } finally {
      await Promise.all(opened.map((db) => db.close()));
    }
  });

  it('run forward when new ones come', async () => {
    await used(open(tables), (db) => db.run('INSERT INTO a VALUES (5)'));
    await used(open(more, tables), async (db) => {
      expect(await db.rows('SELECT a.id, b.id AS b FROM a, b')).toEqual([{ id: 5, b: 1 }]);
    });
  });

  it('leave nothing of one that fails, and keep those before it', async () => {
    const broken = { name: 'spec-003-broken', sql: 'CREATE TABLE c (); SELECT nonsense' };
    await expect(open(tables, broken)).rejects.toMatchObject({ code: '42703' });
    await used(open(tables), async (db) => {
      expect(await db.rows("SELECT to_regclass('a') AS a, to_regclass('c') AS c")).toEqual([
        { a: 'a', c: null },
      ]);
    });
  });

  it('refuse a changed one and change nothing', async () => {
    await used(open(tables), () => Promise.resolve());
    await expect(open({ ...tables, sql: 'SELECT 1' }, more)).rejects.toThrow(
      'Migration spec-001-tables was changed',
    );
    await used(open(tables), async (db) => {
      expect(await db.rows("SELECT to_regclass('b') AS b")).toEqual([{ b: null }]);
    });
  });

  it('close twice without harm', async () => {
    const db = await open(tables);
    await db.close();
    await db.close();
    await expect(db.rows('SELECT 1')).rejects.toThrow();
  });
});
