import { eventually, freshDatabase, type FreshDatabase } from '@patchtrail/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Database, holdInstanceLock, openDatabase, tryLease } from './index.js';

describe('a lease', () => {
  let fresh: FreshDatabase;
  let db: Database;
  beforeAll(async () => {
    fresh = await freshDatabase('lease');
    db = await openDatabase({ url: fresh.url, applicationName: 'spec' });
  });
  afterAll(async () => {
    await db.close();
    await fresh.drop();
  });

  it('has one holder per name', async () => {
    const lease = await tryLease(fresh.url, 'relay');
    const other = await tryLease(fresh.url, 'timers');
    expect(other).not.toBeNull();
    expect(await tryLease(fresh.url, 'relay')).toBeNull();
    await lease!.release();
    const next = await tryLease(fresh.url, 'relay');
    expect(next).not.toBeNull();
    await next!.release();
    await other!.release();
  });

  it('tells when its connection is lost, and is free then', async () => {
    const lease = await tryLease(fresh.url, 'lost');
    expect(lease!.lost.aborted).toBe(false);
    await db.run(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'lease lost'",
    );
    await eventually(() => expect(lease!.lost.aborted).toBe(true));
    await lease!.release();
    const next = await tryLease(fresh.url, 'lost');
    expect(next).not.toBeNull();
    await next!.release();
  });

  it('does not call its own release a loss', async () => {
    const lease = await tryLease(fresh.url, 'given-back');
    await lease!.release();
    await lease!.release();
    expect(lease!.lost.aborted).toBe(false);
  });

  it('leaves no connection behind when another holds it', async () => {
    const lease = await tryLease(fresh.url, 'taken');
    await tryLease(fresh.url, 'taken');
    await eventually(async () =>
      expect(
        await db.rows("SELECT 1 FROM pg_stat_activity WHERE application_name = 'lease taken'"),
      ).toHaveLength(1),
    );
    await lease!.release();
  });

  it('fails without a server', async () => {
    await expect(tryLease('postgres://x@127.0.0.1:1/none', 'x')).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });

  it('keeps a second process of the same name off a server', async () => {
    const lock = await holdInstanceLock(fresh.url, 'spec');
    await expect(holdInstanceLock(fresh.url, 'spec')).rejects.toThrow(
      /^Another spec process already works on the PostgreSQL server at 127\.0\.0\.1:\d+\. Stop it first/,
    );
    await lock.release();
    await (await holdInstanceLock(fresh.url, 'spec')).release();
  });
});
