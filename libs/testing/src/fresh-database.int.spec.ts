import { openDatabase } from '@patchtrail/postgres';
import { describe, expect, it } from '@jest/globals';
import { freshDatabase, freshProvisioned, testServerUrl } from './fresh-database.js';

describe('a fresh database', () => {
  it('is empty, its own, and gone after drop although somebody is connected', async () => {
    const [one, other] = await Promise.all([freshDatabase('twin'), freshDatabase('twin')]);
    const db = await openDatabase({ url: one.url, applicationName: 'spec' });
    const second = await openDatabase({ url: other.url, applicationName: 'spec' });
    await db.run('CREATE TABLE thing (id int)');
    expect(await second.rows("SELECT to_regclass('thing') AS thing")).toEqual([{ thing: null }]);
    await one.drop();
    await one.drop();
    await expect(db.rows('SELECT 1')).rejects.toThrow();
    await db.close();
    await second.close();
    await other.drop();
  });

  it('refuses a name that would need quoting', async () => {
    await expect(freshDatabase('a-b')).rejects.toThrow(
      'Database name "a-b" must be up to 41 of a-z, 0-9 and underscores.',
    );
  });
});

describe('freshly provisioned databases', () => {
  it('are found by the name asked for and leave neither database nor role', async () => {
    const names = `SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles`;
    const made = await freshProvisioned([
      { database: 'asked', role: 'asker', ownsSchema: true },
      { database: 'also', role: 'asker', ownsSchema: true },
    ]);
    const urls = ['asked', 'also'].map((name) => new URL(made.databases.get(name)!.url));
    expect(urls[0]!.username).toBe(urls[1]!.username);
    const own = [...urls.map(({ pathname }) => pathname.slice(1)), urls[0]!.username];
    const db = await openDatabase({ url: await testServerUrl(), applicationName: 'spec' });
    const present = async (): Promise<number> =>
      (await db.rows(`SELECT 1 FROM (${names}) AS present (name) WHERE name = ANY($1)`, [own]))
        .length;
    expect(await present()).toBe(3);
    await made.drop();
    expect(await present()).toBe(0);
    await db.close();
  });
});
