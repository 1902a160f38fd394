/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { runScript } from '@patchtrail/testing';
import {
  type EventStoreDbDouble,
  type EventStoreDbOptions,
  startEventStoreDb,
} from '@patchtrail/testing/eventstoredb';
import { jsonEvent } from '@eventstore/db-client';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createTestLog } from '../log.suite.js';
import { freshStream, newEvents } from '../test-events.suite.js';
import { leaseClient } from './client-lease.js';
import { openEventStoreDb } from './eventstoredb-event-store.js';
import { grantReadOfAll } from './grant.js';
import { UnfitServer } from './start-up.js';
import { onTheDouble, SHORT_LIMITS } from './test-server.suite.js';

const PASSWORD = 'p@ss:wörd/?#';
const PATCHTRAIL = { name: 'patchtrail', password: PASSWORD, groups: [] };

onTheDouble('opening an event store in EventStoreDB (double only)', () => {
  const closers: (() => Promise<void>)[] = [];
  const start = async (options: EventStoreDbOptions = {}) => {
    const double = await startEventStoreDb(options);
    closers.push(() => double.stop());
    return double;
  };
  const open = async (options: EventStoreDbOptions = {}) => {
    const { connectionString: url } = await start(options);
    const log = createTestLog();
    const store = await openEventStoreDb({ url, log });
    closers.push(() => store.close());
    return { store, log };
  };
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  it.each(['24.10.0', '24.10.13', '26.0.3', '26.1.0-rc.2'])(
    'logs what it found of a server %s',
    async (version) => {
      const { store, log } = await open({ version });
      const line = log.lines.find(({ level }) => level === 'info');
      expect(line).toMatchObject({
        level: 'info',
        fields: { version, tls: false, user: null, identity: await store.identity() },
      });
      expect(line?.fields['leader']).toMatch(/^127\.0\.0\.1:\d+$/);
    },
  );

  it('warns of a server that is no longer supported', async () => {
    const { log } = await open({ version: '24.6.0' });
    const warning = { level: 'warn', fields: { version: '24.6.0', supported: '24.10' } };
    expect(log.lines).toContainEqual(expect.objectContaining(warning));
  });

  it.each([
    ['24.5.9', 'the server is 24.5.9; 24.10 or newer is needed'],
    ['23.10.7', 'the server is 23.10.7; 24.10 or newer is needed'],
    ['unknown', 'does not tell a version, but "unknown"'],
  ])('refuses the version %s, and leaves no connection behind', async (version, message) => {
    const { connectionString, control } = await start({ version });
    const opened = openEventStoreDb({ url: connectionString, log: createTestLog() });
    await expect(opened).rejects.toThrow(UnfitServer);
    await expect(opened).rejects.toThrow(message);
    expect((await control.state()).counts.appends).toBe(0);
    await open();
  });

  it('gives one identity to a store that many open at once', async () => {
    const { connectionString, control } = await start();
    const log = createTestLog();
    const stores = await Promise.all(
      Array.from({ length: 6 }, () => openEventStoreDb({ url: connectionString, log })),
    );
    closers.push(...stores.map((store) => () => store.close()));
    const identities = await Promise.all(stores.map((store) => store.identity()));
    expect(new Set(identities).size).toBe(1);
    expect((await control.state()).counts.appends).toBeGreaterThan(1);
    const { client, release } = leaseClient(connectionString);
    const events: unknown[] = [];
    for await (const { event } of client.readStream('patchtrailStore-identity')) events.push(event);
    expect(events).toHaveLength(1);
    await release();
  });

  describe('with TLS and users', () => {
    const openAs = (url: string) => {
      const log = createTestLog();
      return { log, opened: openEventStoreDb({ url, log, limits: SHORT_LIMITS }) };
    };
    const secured = () => start({ tls: true, users: [PATCHTRAIL] });
    const textOf = (value: unknown) => {
      const error = value instanceof Error ? [value.message, value.stack, value.cause] : value;
      return JSON.stringify(error) + String(error);
    };

    it('reads and writes as a user who was granted $all, by name and secret of the URL', async () => {
      const server = await secured();
      const log = createTestLog();
      const grant = { url: server.connectionString, user: PATCHTRAIL.name, log };
      expect(await grantReadOfAll(grant)).toBe(true);
      expect(await grantReadOfAll(grant)).toBe(false);
      const { opened, log: found } = openAs(server.connectionStringFor(PATCHTRAIL));
      const store = await opened;
      closers.push(() => store.close());
      const { position } = await store.append(freshStream(), 'no-stream', newEvents(1));
      expect(await store.head()).toBe(position);
      expect(found.lines[0]).toMatchObject({ fields: { user: 'patchtrail', tls: true } });
      const told = JSON.stringify([found.lines, log.lines]);
      expect(told).not.toContain(PASSWORD);
      expect(told).not.toContain(encodeURIComponent(PASSWORD));
    });

    it('is granted by command, which needs the URL of an administrator', async () => {
      const server = await secured();
      const script = new URL('./grant-cli.ts', import.meta.url);
      const run = (url: string) =>
        runScript(script, { args: [PATCHTRAIL.name], env: { EVENTSTOREDB_ADMIN_URL: url } });
      const without = run('');
      expect(await without.exited).toMatchObject({ code: 1 });
      expect(without.errors()).toContain('EVENTSTOREDB_ADMIN_URL: must be');
      const denied = run(server.connectionStringFor(PATCHTRAIL));
      expect(await denied.exited).toMatchObject({ code: 1 });
      const granted = run(server.connectionString);
      expect(await granted.exited).toMatchObject({ code: 0 });
      expect(granted.lines()).toEqual(['may read $all now {"user":"patchtrail"}']);
      const store = await openAs(server.connectionStringFor(PATCHTRAIL)).opened;
      await store.close();
    });

    it('keeps what else the server knows of $all', async () => {
      const server = await secured();
      const { client, release } = leaseClient(server.connectionString);
      closers.push(release);
      const before = { $maxCount: 7, $acl: { $r: 'auditor', $mr: ['$ops'] }, note: { a: 1 } };
      await client.appendToStream('$$$all', jsonEvent({ type: '$metadata', data: before }));
      const { connectionString: url } = server;
      await grantReadOfAll({ url, user: PATCHTRAIL.name, log: createTestLog() });
      const stored: unknown[] = [];
      for await (const { event } of client.readStream('$$$all')) stored.push(event?.data);
      const acl = { $r: ['auditor', 'patchtrail'], $mr: ['$ops'] };
      expect(stored.at(-1)).toEqual({ ...before, $acl: acl });
    });

    it.each(['', '$admins', 'two users'])('grants nothing to "%s"', async (user) => {
      const { connectionString: url, control } = await secured();
      const { events } = await control.state();
      await expect(grantReadOfAll({ url, user, log: createTestLog() })).rejects.toThrow('user:');
      expect((await control.state()).events).toBe(events);
    });

    it.each<[string, (server: EventStoreDbDouble) => string, string]>([
      [
        'a user without the right to read $all',
        (server) => server.connectionStringFor(PATCHTRAIL),
        'the user patchtrail may not read $all. Run npm run eventstoredb:grant',
      ],
      [
        'a wrong password',
        (server) => server.connectionStringFor({ ...PATCHTRAIL, password: 'wrong' }),
        'the user patchtrail is not known to the server, or has another password',
      ],
      [
        'no user',
        (server) => server.connectionStringFor(null),
        'nobody, for the URL names no user',
      ],
    ])('refuses %s and says what to do', async (_, urlOf, message) => {
      const server = await secured();
      const { events } = await server.control.state();
      const { opened, log } = openAs(urlOf(server));
      const error = await opened.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(UnfitServer);
      expect(textOf(error)).toContain(message);
      expect(textOf(error) + JSON.stringify(log.lines)).not.toContain(PASSWORD);
      expect((await server.control.state()).events).toBe(events);
    });

    it('refuses a server whose certificate nobody vouches for', async () => {
      const server = await secured();
      const { opened } = openAs(server.connectionString.replace(/&tlsCAFile=.*/, ''));
      await expect(opened).rejects.toThrow('no answer');
    });
  });

  it('says that a user is of no use without TLS', async () => {
    const { log } = await open();
    const warnings = log.lines.filter(({ level }) => level === 'warn');
    expect(warnings.map(({ text }) => text)).toEqual([
      'without TLS the user of the EventStoreDB URL is not sent, and nobody is refused',
    ]);
  });
});
