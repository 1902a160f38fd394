import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Database, openDatabase } from '@patchtrail/postgres';
import { freshDatabase, type FreshDatabase } from '@patchtrail/testing';
import { messagingMigrations, purgeInbox, purgeRefusedMessages } from './index.js';

const DAY_MS = 86_400_000;

describe('what a consumer remembers', () => {
  let fresh: FreshDatabase;
  let db: Database;
  const now = new Date();
  const daysAgo = (days: number) => new Date(now.getTime() - days * DAY_MS);

  beforeEach(async () => {
    fresh = await freshDatabase('retention');
    const migrations = messagingMigrations;
    db = await openDatabase({ url: fresh.url, applicationName: 'spec', migrations });
  });
  afterEach(async () => {
    await db.close();
    await fresh.drop();
  });

  const consumed = (count: number, days: number) =>
    db.run(
      `INSERT INTO inbox (consumer_group, source, message_id, consumed_at)
       SELECT 'g', '/s', $2 || '/' || n, $3 FROM generate_series(1, $1) n`,
      [count, String(days), daysAgo(days)],
    );
  const refused = (count: number, days: number) =>
    db.run(
      `INSERT INTO refused_messages
         (consumer_group, topic, partition, "offset", code, cause, message, refused_at)
       SELECT 'g', 't', 0, n, 'no', 'no', '{}', $2 FROM generate_series(1, $1) n`,
      [count, daysAgo(days)],
    );
  const count = async (table: 'inbox' | 'refused_messages') =>
    (await db.rows(`SELECT 1 FROM ${table}`)).length;

  it('is kept for 30 days, longer than a message can come again', async () => {
    await consumed(3, 29);
    await consumed(2, 31);
    expect(await purgeInbox(db, now)).toBe(2);
    expect(await purgeInbox(db, now)).toBe(0);
    expect(await count('inbox')).toBe(3);
  });

  it('forgets a refusal after 90 days', async () => {
    await refused(3, 89);
    await refused(2, 91);
    expect(await purgeRefusedMessages(db, now)).toBe(2);
    expect(await count('refused_messages')).toBe(3);
  });

  it.each([
    ['inbox', consumed, purgeInbox],
    ['refused_messages', refused, purgeRefusedMessages],
  ] as const)('forgets a thousand at a time (%s)', async (table, fill, purge) => {
    await fill(1_500, 100);
    expect(await purge(db, now)).toBe(1_000);
    expect(await purge(db, now)).toBe(500);
    expect(await count(table)).toBe(0);
  });
});
