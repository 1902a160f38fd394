import { runScript, type RunningScript, silentLog } from '@patchtrail/testing';
import { lane } from '@patchtrail/testing/lane';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  findPostgres,
  openDatabase,
  removePostgres,
  type RunningPostgres,
  type ServerKind,
  startPostgres,
} from '../index.js';
import { findEmbedded, findInstalled } from './binaries.js';
import { serverAccount } from './account.js';
import { placeOf } from './place.js';
import { isAlive, isServerOf, recordedPostmaster } from './processes.js';

const account = await serverAccount();
const lanes: { kind: ServerKind; present: boolean }[] = [
  { kind: 'installed', present: (await findInstalled(account)).length > 0 },
  { kind: 'embedded', present: (await findEmbedded(account, tmpdir())).length > 0 },
];
const firstPresent = lanes.find(({ present }) => present)?.kind;
const notRoot = account ? null : 'these tests are not run by root';
const HOLDER = new URL('./holder.fixture.ts', import.meta.url);

async function answer(url: string, sql: string): Promise<unknown[]> {
  const db = await openDatabase({ url, applicationName: 'spec', poolMax: 1 });
  return db.rows(sql).finally(() => db.close());
}

for (const { kind, present } of lanes) {
  const absent = present ? null : `no ${kind} PostgreSQL server is here`;
  lane(`an ${kind} server`, absent, () => {
    let root: string;
    let dataDir: string;
    const children: RunningScript[] = [];
    const started: RunningPostgres[] = [];
    const start = async (folder = dataDir): Promise<RunningPostgres> => {
      const options = {
        dataDir: folder,
        choice: kind,
        log: silentLog,
        settings: { fsync: 'off' },
        rootsFolder: join(root, 'shared'),
      };
      const postgres = await startPostgres(options);
      started.push(postgres);
      return postgres;
    };
    const hold = async (): Promise<{ holder: RunningScript; url: string; pid: number }> => {
      const holder = runScript(HOLDER, { args: [dataDir, kind, join(root, 'shared')] });
      children.push(holder);
      const [, url = ''] = (await holder.line(/^ready /)).split(' ');
      return { holder, url, pid: (await recordedPostmaster(await data()))!.pid };
    };
    const folder = async (): Promise<string> => (await placeOf(dataDir)).folder;
    const data = async (): Promise<string> => {
      const place = await folder();
      const name = (await readdir(place)).find((entry) => /^\w+-\d+$/.test(entry));
      return join(place, name!);
    };

    beforeEach(async () => {
      root = await mkdtemp(join(tmpdir(), 'patchtrail-server-'));
      await chmod(root, 0o755);
      // As in a home that nobody else may enter, with a name that is no good in a shell.
      await mkdir(join(root, "a 'home"), { mode: 0o700 });
      dataDir = join(root, "a 'home", '.patchtrail');
    });
    afterEach(async () => {
      await Promise.all(started.splice(0).map((postgres) => postgres.stop()));
      await Promise.all(children.splice(0).map((child) => child.kill()));
      await removePostgres(dataDir).catch(() => undefined);
      await rm(root, { recursive: true, force: true });
    });

    it('keeps its data over a restart, and its port to this host', async () => {
      const first = await start();
      expect(first.kind).toBe(kind);
      await answer(first.adminUrl, 'CREATE TABLE kept AS SELECT 7 AS n');
      const { pid } = (await recordedPostmaster(await data()))!;
      await first.stop();
      await first.stop();
      expect(isAlive(pid)).toBe(false);
      const second = await start();
      expect(await answer(second.adminUrl, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
      const settings = `SELECT current_setting('listen_addresses') AS at, version() AS version,
        current_setting('server_encoding') AS encoding, current_setting('fsync') AS fsync, 'B' < 'a' AS bytewise, lower('Ä') AS lower`;
      expect(await answer(second.adminUrl, settings)).toEqual([
        {
          at: '127.0.0.1',
          encoding: 'UTF8',
          fsync: 'off',
          bytewise: true,
          lower: 'ä',
          version: expect.stringContaining(`PostgreSQL ${second.version}`),
        },
      ]);
    });

    it('outlives a killed process, and the next one stops it and goes on with its data', async () => {
      const { holder, url, pid } = await hold();
      await answer(url, 'CREATE TABLE kept AS SELECT 8 AS n');
      await holder.kill('SIGKILL');
      expect(isAlive(pid)).toBe(true);
      const next = await start();
      expect(await isServerOf(pid, await data())).toBe(false);
      expect(await answer(next.adminUrl, 'SELECT n FROM kept')).toEqual([{ n: 8 }]);
    });

    it('goes on after server and process were both killed', async () => {
      const { holder, url, pid } = await hold();
      await answer(url, 'CREATE TABLE kept AS SELECT 9 AS n');
      process.kill(pid, 'SIGKILL');
      await holder.kill('SIGKILL');
      const next = await start();
      expect(await answer(next.adminUrl, 'SELECT n FROM kept')).toEqual([{ n: 9 }]);
    });

    it('refuses data of another major version and names both', async () => {
      await (await start()).stop();
      const folderNow = await data();
      const major = /\d+$/.exec(folderNow)![0];
      await writeFile(join(folderNow, 'PG_VERSION'), '12\n');
      await expect(start()).rejects.toThrow(
        new RegExp(`holds data of PostgreSQL 12, and the server is ${major}\\.`),
      );
      await rename(folderNow, folderNow.replace(/\d+$/, '12'));
      await expect(start()).rejects.toThrow(
        new RegExp(`The data is of PostgreSQL 12 \\(${kind}\\); servers of that kind found here: `),
      );
    });

    lane('as root', notRoot, () => {
      it('runs for an ordinary user, from a home of his own', async () => {
        const [uid, gid] = [65534, 65534];
        const home = join(root, 'ordinary');
        await mkdir(home, { mode: 0o700 });
        await chown(home, uid, gid);
        dataDir = join(home, '.patchtrail');
        const run = async (): Promise<{ holder: RunningScript; url: string }> => {
          const holder = runScript(HOLDER, {
            args: [dataDir, kind],
            account: { uid, gid },
            cwd: home,
          });
          children.push(holder);
          const [, url = '', used] = (await holder.line(/^(ready|failed) /)).split(' ');
          expect(used).toBe(kind);
          return { holder, url };
        };
        const first = await run();
        await answer(first.url, 'CREATE TABLE kept AS SELECT 3 AS n');
        await first.holder.kill('SIGKILL');
        const second = await run();
        expect(await answer(second.url, 'SELECT n FROM kept')).toEqual([{ n: 3 }]);
        expect((await stat(join(dataDir, 'postgres'))).uid).toBe(uid);
        await expect(start()).rejects.toThrow(/belongs to uid 65534\. Run as that account/);
        second.holder.say('stop');
        expect((await second.holder.exited).code).toBe(0);
      });
    });

    // What follows does not depend on where the server came from.
    if (kind !== firstPresent) return;

    it('lets nobody in without its password, which only its account can read', async () => {
      const { adminUrl } = await start();
      const wrong = new URL(adminUrl);
      wrong.password = 'postgres';
      await expect(answer(wrong.href, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
      const password = await stat(join(await folder(), 'password'));
      expect(password.mode & 0o777).toBe(0o600);
      expect((await stat(await data())).mode & 0o777).toBe(0o700);
      expect((await stat(join(dataDir, 'postgres.json'))).mode & 0o777).toBe(0o600);
    });

    it('is refused to a second process while the first one lives', async () => {
      const { holder, url, pid } = await hold();
      await expect(start()).rejects.toThrow(
        new RegExp(`^Another process uses the database in .*\\(server process ${pid}\\)`),
      );
      expect(await answer(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      holder.say('stop');
      expect(await holder.exited).toEqual({ code: 0, signal: null });
      expect(isAlive(pid)).toBe(false);
    });

    it('is found by others while it runs, without being taken from its owner', async () => {
      expect(await findPostgres(dataDir)).toBeNull();
      const { holder, url } = await hold();
      expect(await findPostgres(dataDir)).toBe(url);
      expect(await answer(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      await holder.kill();
      // A server whose owner was killed still runs.
      expect(await findPostgres(dataDir)).toBe(url);
      const next = await start();
      expect(await findPostgres(dataDir)).toBe(next.adminUrl);
      await next.stop();
      expect(await findPostgres(dataDir)).toBeNull();
    });

    it('gives two that start at once one winner, and the other a reason', async () => {
      const outcomes = await Promise.allSettled([start(), start()]);
      const failed = outcomes.filter((outcome) => outcome.status === 'rejected');
      expect(failed).toHaveLength(1);
      expect(String(failed[0]!.reason)).toMatch(/Another process (uses|has taken) the database/);
      expect(await answer(started[0]!.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    });

    it('tells when it ends by itself', async () => {
      const { holder, pid } = await hold();
      process.kill(pid, 'SIGQUIT');
      await holder.line(/^error: PostgreSQL \(process \d+\) ended by itself/);
    });

    it('starts although its process number now belongs to another process', async () => {
      const first = await start();
      await first.stop();
      const stranger = spawn('sleep', ['60'], { ...account, cwd: '/' });
      try {
        const lock = join(await data(), 'postmaster.pid');
        await writeFile(lock, `${stranger.pid}\n${await data()}\n0\n5432\n\n127.0.0.1\n`);
        const next = await start();
        expect(await answer(next.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
        expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
      } finally {
        stranger.kill();
      }
    });

    it('ignores what an interrupted initdb left', async () => {
      await mkdir(dataDir);
      const place = (await placeOf(dataDir, join(root, 'shared'))).folder;
      await mkdir(join(place, `${kind}-15.unfinished-x`, 'base'), { recursive: true });
      const postgres = await start();
      expect(await answer(postgres.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    });

    it('says when its data is gone instead of starting empty', async () => {
      await (await start()).stop();
      await rm(await folder(), { recursive: true });
      await expect(start()).rejects.toThrow(
        /postgres\.json says that the database is in .*, which is gone\./,
      );
    });

    it('says what is wrong with the note', async () => {
      await mkdir(dataDir);
      await writeFile(join(dataDir, 'postgres.json'), '{"dataDir": 1}');
      await expect(start()).rejects.toThrow('"dataDir" must be a path.');
    });

    it('explains a start that fails with what the server wrote', async () => {
      await (await start()).stop();
      await writeFile(join(await data(), 'postgresql.conf'), 'nonsense = 1\n');
      await expect(start()).rejects.toThrow(/ended while it started: .*nonsense/s);
      expect(await readFile(join(await folder(), 'server.log'), 'utf8')).toContain('nonsense');
    });

    it('moves along with its checkout, while a copy starts with data of its own', async () => {
      const first = await start();
      await answer(first.adminUrl, 'CREATE TABLE kept AS SELECT 1 AS n');
      await first.stop();
      const moved = `${dataDir}-moved`;
      await rename(dataDir, moved);
      const second = await start(moved);
      expect(await answer(second.adminUrl, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
      await second.stop();
      await rename(moved, dataDir);
      await (await start()).stop();
      await cp(dataDir, moved, { recursive: true });
      const copy = await start(moved);
      expect(copy.adminUrl).not.toBe(second.adminUrl);
      const again = await start();
      expect(await answer(again.adminUrl, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
      await copy.stop();
      await removePostgres(moved);
    });

    lane('as root', notRoot, () => {
      it('finds another place where the usual one cannot be made', async () => {
        await writeFile(join(root, 'shared'), 'not a folder');
        const postgres = await start();
        expect(await answer(postgres.adminUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
        const place = await folder();
        expect(place.startsWith(join(tmpdir(), 'patchtrail-'))).toBe(true);
        await postgres.stop();
        await removePostgres(dataDir);
        await rmdir(dirname(place));
      });
    });
  });
}
