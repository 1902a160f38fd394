import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { TokenRefused } from '@patchtrail/auth';
import { messagingMigrations } from '@patchtrail/messaging';
import {
  accessProviders,
  createHttpApp,
  createLogger,
  type HttpApp,
  idempotencyMigration,
  PARKED_SOURCES,
  parkedMessagesController,
  parkedReplaysMigration,
  type ParkedSources,
} from '@patchtrail/platform';
import { type Database, openDatabase } from '@patchtrail/postgres';
import { freshDatabase, type FreshDatabase } from '@patchtrail/testing';
import { runProduct } from '../product.suite.js';
import { UsageError } from './command.js';
import { messagesParked, messagesReplay } from './messages.js';

@Module({})
class SpecModule {}

const GROUP = 'reporting.trail';
const ROLES = { pat: ['platform-engineer'], ana: ['approver'] } as const;

describe('patchtrail messages', () => {
  let fresh: FreshDatabase;
  let db: Database;
  let app: HttpApp;
  let url: string;
  let isBroken: boolean;
  const applied: string[] = [];

  beforeAll(async () => {
    fresh = await freshDatabase('messages');
    const migrations = [...messagingMigrations, idempotencyMigration, parkedReplaysMigration];
    db = await openDatabase({ url: fresh.url, applicationName: 'spec', migrations });
    const parked: ParkedSources = {
      db,
      consumers: {
        [GROUP]: (_tx, { id }) => {
          if (isBroken) return Promise.reject(new Error('still broken\nand more'));
          applied.push(id);
          return Promise.resolve();
        },
      },
    };
    const verifyToken = (id: string) => {
      const known = id === 'pat' || id === 'ana' ? ROLES[id] : null;
      if (known === null) return Promise.reject(new TokenRefused('exp', 'is in the past'));
      return Promise.resolve({ kind: 'person' as const, id, roles: known, departments: ['*'] });
    };
    const module = {
      module: SpecModule,
      controllers: [parkedMessagesController('reporting')],
      providers: [
        ...accessProviders({ verifyToken }),
        { provide: PARKED_SOURCES, useValue: parked },
      ],
    };
    const log = createLogger('spec', 'silent');
    app = await createHttpApp({ modules: [module], docs: [], log });
    url = await app.listen(0, '127.0.0.1');
  });
  beforeEach(async () => {
    isBroken = true;
    applied.length = 0;
    await db.run('TRUNCATE parked_messages RESTART IDENTITY');
    for (const [id, cause] of [
      ['one', 'Error: no\n\u001b[2Jpatchtrail'],
      ['two', null],
    ]) {
      await db.run(
        `INSERT INTO parked_messages
           (consumer_group, key, topic, partition, "offset", message, code, cause, tries)
         VALUES ($1, 'k', 't', 0, 0, $2::json, $3, $4, 1)`,
        [GROUP, JSON.stringify({ id, type: 'Sent' }), cause && 'unexpected', cause],
      );
    }
  });
  afterAll(async () => {
    await app.close();
    await db.close();
    await fresh.drop();
  });

  const cli = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const variables = { PATCHTRAIL_URL: url, PATCHTRAIL_TOKEN: 'pat', ...env };
    const options = { dataDir: '/nowhere', entry: 'cli/main.ts', env: variables };
    const script = runProduct({ ...options, args: ['messages', ...args] });
    const { code } = await script.exited;
    return { code, lines: script.lines(), errors: script.errors() };
  };
  const replay = ['replay', 'reporting', 'message-2', '--remark', 'repaired'];

  it('lists what stands still, a line each', async () => {
    const { code, lines, errors } = await cli(['parked', 'reporting']);
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    expect(lines).toEqual([
      expect.stringMatching(
        /^reporting {2}message-1 {2}reporting.trail {2}k {2}Sent {2}1 tries {2}\S+Z {2}unexpected: Error: no \[2Jpatchtrail$/,
      ),
      expect.stringMatching(/^reporting {2}message-2 .* waits behind it$/),
    ]);
  });

  it('replays a key, and says when it fails again', async () => {
    const failed = await cli(replay);
    expect(failed).toMatchObject({ code: 1, lines: [] });
    expect(failed.errors).toMatch(
      /still-failing: It failed again and stays parked: .*still broken/,
    );
    isBroken = false;
    const done = await cli(replay);
    expect(done).toEqual({
      code: 0,
      lines: ['reporting.trail: 2 of key k replayed'],
      errors: '',
    });
    expect(applied).toEqual(['one', 'two']);
    const asked = await db.rows('SELECT DISTINCT asked_by, remark FROM parked_replays');
    expect(asked).toEqual([{ asked_by: 'pat', remark: 'repaired' }]);
    expect((await cli(replay)).errors).toMatch(/not-found: There is no parked message message-2/);
  });

  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ['no URL', { PATCHTRAIL_URL: '' }, /PATCHTRAIL_URL: must be the http or https URL/],
    ['a file', { PATCHTRAIL_URL: 'file:///x' }, /PATCHTRAIL_URL: must be the http or https URL/],
    ['no token', { PATCHTRAIL_TOKEN: '' }, /PATCHTRAIL_TOKEN: must be an access token/],
    ['an old token', { PATCHTRAIL_TOKEN: 'eve' }, /unauthenticated: exp is in the past/],
    ['another role', { PATCHTRAIL_TOKEN: 'ana' }, /forbidden: This needs the role/],
    ['nobody there', { PATCHTRAIL_URL: 'http://127.0.0.1:1' }, /No answer from PATCHTRAIL_URL/],
  ])('says what is wrong with %s', async (_name, env, reason) => {
    const { code, lines, errors } = await cli(['parked', 'reporting'], env);
    expect({ code, lines }).toEqual({ code: 1, lines: [] });
    expect(errors).toMatch(reason);
    expect(errors).not.toMatch(/\n +at /);
  });

  it.each<[readonly string[], RegExp]>([
    [['parked', 'agent'], /<service>: must be one of discovery.*not "agent"/],
    [['parked', 'approval', 'reporting'], /\[service\]: at most one/],
    [['replay'], /<service>: must be one of/],
    [['replay', 'reporting'], /<id>: must be one id/],
    [['replay', 'reporting', 'message-1'], /--remark: must say why/],
    [['replay', 'reporting', 'message-1', '--remark', ''], /--remark: must say why/],
  ])('refuses to be called wrongly: %j', async ([name, ...args], reason) => {
    const command = name === 'parked' ? messagesParked : messagesReplay;
    const call = command.run(args);
    await expect(call).rejects.toThrow(UsageError);
    await expect(call).rejects.toThrow(reason);
  });
});
