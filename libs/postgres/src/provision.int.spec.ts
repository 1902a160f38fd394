import { freshProvisioned, type FreshProvisioned, testServerUrl } from '@patchtrail/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { type Database, openDatabase, provision } from './index.js';

async function asked<T>(url: string, use: (db: Database) => Promise<T>): Promise<T> {
  const db = await openDatabase({ url, applicationName: 'spec', poolMax: 2 });
  return use(db).finally(() => db.close());
}

const named = (url: string): string => new URL(url).pathname.slice(1);

describe('provisioned databases', () => {
  let made: FreshProvisioned;
  const urls = (database: string) => made.databases.get(database)!;
  beforeAll(async () => {
    made = await freshProvisioned([
      { database: 'rooms', role: 'rooms', ownsSchema: true },
      { database: 'guests', role: 'guests', ownsSchema: true },
      { database: 'ledger', role: 'ledger', ownsSchema: false },
    ]);
  });
  afterAll(() => made.drop());

  it('let a role that owns the schema make its tables and other schemas', async () => {
    await asked(urls('rooms').url, async (db) => {
      await db.run('CREATE SCHEMA beside');
      await db.run('CREATE TABLE room (id int)');
      expect(await db.run('INSERT INTO room VALUES (1)')).toBe(1);
    });
  });

  it('keep every role out of the databases of the others', async () => {
    for (const foreign of ['guests', 'ledger']) {
      const url = new URL(urls('rooms').url);
      url.pathname = new URL(urls(foreign).url).pathname;
      await expect(openDatabase({ url: url.href, applicationName: 'thief' })).rejects.toMatchObject(
        { code: '42501' },
      );
    }
  });

  it('grant a role without the schema nothing but what the owner grants', async () => {
    const { url, ownerUrl } = urls('ledger');
    await asked(ownerUrl, (db) => db.run('CREATE TABLE entry (id int)'));
    await asked(url, async (db) => {
      await expect(db.run('CREATE TABLE own (id int)')).rejects.toMatchObject({ code: '42501' });
      await expect(db.run('CREATE SCHEMA own')).rejects.toMatchObject({ code: '42501' });
      await expect(db.rows('SELECT id FROM entry')).rejects.toMatchObject({ code: '42501' });
    });
    await asked(ownerUrl, (db) => db.run('GRANT SELECT, INSERT ON entry TO PUBLIC'));
    await asked(url, async (db) => {
      expect(await db.run('INSERT INTO entry VALUES (1)')).toBe(1);
      await expect(db.run('DELETE FROM entry')).rejects.toMatchObject({ code: '42501' });
    });
  });

  it('are the same after another run, with new passwords', async () => {
    const { url, ownerUrl } = urls('guests');
    await asked(url, (db) => db.run('CREATE TABLE guest (id int)'));
    const spec = { database: named(url), role: new URL(url).username, ownsSchema: true };
    const again = await provision(made.adminUrl, [spec]);
    await expect(openDatabase({ url, applicationName: 'old' })).rejects.toMatchObject({
      code: '28P01',
    });
    const next = again.get(spec.database)!;
    expect(next.ownerUrl).toBe(ownerUrl);
    await asked(next.url, async (db) => {
      expect(await db.rows('SELECT id FROM guest')).toEqual([]);
      await db.run('CREATE TABLE more (id int)');
    });
  });

  it('take the password that is given, whatever it holds, and keep it', async () => {
    const { url } = urls('guests');
    const password = `o'hara "%41" \\ @/:`;
    const spec = { database: named(url), role: new URL(url).username, ownsSchema: true, password };
    const first = (await provision(made.adminUrl, [spec])).get(spec.database)!;
    expect(decodeURIComponent(new URL(first.url).password)).toBe(password);
    await provision(made.adminUrl, [spec]);
    await asked(first.url, async (db) => expect(await db.rows('SELECT 1 AS one')).toHaveLength(1));
  });

  it('take the schema back from a role that no longer owns it', async () => {
    const { url } = urls('rooms');
    const spec = { database: named(url), role: new URL(url).username, ownsSchema: false };
    const next = (await provision(made.adminUrl, [spec])).get(spec.database)!;
    await asked(next.url, (db) =>
      expect(db.run('CREATE TABLE other (id int)')).rejects.toMatchObject({ code: '42501' }),
    );
  });
});

describe('provisioning', () => {
  const suffix = randomBytes(4).toString('hex');
  const spec = { database: `spec_${suffix}`, role: `spec_${suffix}`, ownsSchema: true };
  const login = (adminUrl: string, role: string): string => {
    const url = new URL(adminUrl);
    url.username = role;
    url.password = 'known';
    return url.href;
  };
  let adminUrl: string;
  beforeAll(async () => {
    adminUrl = await testServerUrl();
    await asked(adminUrl, async (db) => {
      const created = "LOGIN PASSWORD 'known'";
      await db.run(`CREATE ROLE maker_${suffix} ${created} CREATEDB CREATEROLE`);
      await db.run(`CREATE ROLE weak_${suffix} ${created} CREATEDB`);
    });
  });
  afterAll(async () => {
    await asked(adminUrl, async (db) => {
      await db.run(`DROP DATABASE IF EXISTS ${spec.database} WITH (FORCE)`);
      for (const role of [spec.role, `maker_${suffix}`, `weak_${suffix}`])
        await db.run(`DROP ROLE IF EXISTS ${role}`);
    });
  });

  it('needs no superuser, twice in a row and for either kind of schema', async () => {
    const maker = login(adminUrl, `maker_${suffix}`);
    for (const ownsSchema of [true, false, true]) {
      const { url } = (await provision(maker, [{ ...spec, ownsSchema }])).get(spec.database)!;
      const made = asked(url, (db) => db.run('CREATE TABLE IF NOT EXISTS thing (id int)'));
      if (ownsSchema) await made;
      else await expect(made).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('says which rights are missing', async () => {
    await expect(provision(login(adminUrl, `weak_${suffix}`), [spec])).rejects.toThrow(
      'The account of the database URL must be a superuser or have CREATEDB and CREATEROLE.',
    );
  });

  it('does not take over a role with administrative rights', async () => {
    await expect(provision(adminUrl, [{ ...spec, role: `maker_${suffix}` }])).rejects.toThrow(
      `role "maker_${suffix}" exists with administrative rights`,
    );
    await asked(login(adminUrl, `maker_${suffix}`), (db) => db.rows('SELECT 1'));
  });

  it.each([
    ['database', 'a b'],
    ['database', 'Rooms'],
    ['role', 'x; DROP ROLE postgres'],
    ['role', ''],
    ['role', 'a'.repeat(64)],
  ])('refuses the %s name "%s"', async (field, name) => {
    await expect(provision(adminUrl, [{ ...spec, [field]: name }])).rejects.toThrow(
      `${field} "${name}" must be 1 to 63 of a-z, 0-9 and underscores`,
    );
  });

  it('refuses a database listed twice', async () => {
    await expect(provision(adminUrl, [spec, spec])).rejects.toThrow(
      `database "${spec.database}" is listed twice.`,
    );
  });
});
