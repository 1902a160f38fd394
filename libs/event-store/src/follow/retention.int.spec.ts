import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openFreshDatabase } from '../databases.suite.js';
import { purgeRefusedEvents } from './retention.js';

const DAY_MS = 86_400_000;

describe('what a reaction refused', () => {
  let opened: Awaited<ReturnType<typeof openFreshDatabase>>;
  const now = new Date();
  beforeEach(async () => {
    opened = await openFreshDatabase();
  });
  afterEach(() => opened.close());

  const refused = (count: number, daysAgo: number) =>
    opened.db.run(
      `INSERT INTO refused_events (reaction, stream, revision, type, code, refused_at)
       SELECT 'r', 's-' || $2, n, 'T', 'no', $3 FROM generate_series(1, $1::int) n`,
      [count, String(daysAgo), new Date(now.getTime() - daysAgo * DAY_MS)],
    );
  const left = async () => (await opened.db.rows('SELECT 1 FROM refused_events')).length;

  it('is forgotten after 90 days', async () => {
    await refused(3, 89);
    await refused(2, 91);
    expect(await purgeRefusedEvents(opened.db, now)).toBe(2);
    expect(await purgeRefusedEvents(opened.db, now)).toBe(0);
    expect(await left()).toBe(3);
  });

  it('is forgotten a thousand at a time', async () => {
    await refused(1_500, 100);
    expect(await purgeRefusedEvents(opened.db, now)).toBe(1_000);
    expect(await purgeRefusedEvents(opened.db, now)).toBe(500);
  });
});
