import { eventually, freshDatabase, type FreshDatabase, runScript } from '@patchtrail/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type Database,
  holdInstanceLock,
  LEASE_EPOCHS_TABLE,
  LeaseSuperseded,
  openDatabase,
  tryFencedLease,
  tryLease,
} from './index.js';

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

  it('is free when its holder stands still', async () => {
    const script = new URL('./lease-holder.fixture.ts', import.meta.url);
    const holder = runScript(script, { args: [fresh.url, 'still'] });
    try {
      await holder.line(/^held$/);
      expect(await tryLease(fresh.url, 'still')).toBeNull();
      process.kill(holder.pid, 'SIGSTOP');
      await eventually(async () => {
        const next = await tryLease(fresh.url, 'still');
        expect(next).not.toBeNull();
        await next!.release();
      });
    } finally {
      await holder.kill();
    }
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

  describe('with a fence', () => {
    const end = (name: string) =>
      db.run(
        'SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1',
        [`lease ${name}`],
      );
    beforeAll(async () => {
      await db.run(LEASE_EPOCHS_TABLE);
      await db.run(LEASE_EPOCHS_TABLE);
    });

    it('raises the epoch with every take-over, and lets no former holder write', async () => {
      const first = await tryFencedLease(fresh.url, 'fenced');
      expect(await tryFencedLease(fresh.url, 'fenced')).toBeNull();
      await db.transaction((tx) => first!.hold(tx));
      await end('fenced');
      // Nobody has taken over yet, so nothing can go wrong yet.
      await db.transaction((tx) => first!.hold(tx));
      const second = await tryFencedLease(fresh.url, 'fenced');
      expect([first!.epoch, second!.epoch]).toEqual([1n, 2n]);
      await expect(db.transaction((tx) => first!.hold(tx))).rejects.toThrow(LeaseSuperseded);
      await db.transaction((tx) => second!.hold(tx));
      await first!.release();
      await second!.release();
    });

    it('is not taken over in the middle of a fenced transaction', async () => {
      const first = await tryFencedLease(fresh.url, 'busy');
      const order: string[] = [];
      let taking: Promise<unknown> = Promise.resolve();
      await db.transaction(async (tx) => {
        await first!.hold(tx);
        await end('busy');
        taking = tryFencedLease(fresh.url, 'busy').then(async (second) => {
          order.push('taken over');
          await second!.release();
        });
        await eventually(async () =>
          expect(
            await db.rows(
              "SELECT 1 FROM pg_stat_activity WHERE application_name = 'lease busy' AND wait_event_type = 'Lock'",
            ),
          ).toHaveLength(1),
        );
        order.push('written');
      });
      await taking;
      expect(order).toEqual(['written', 'taken over']);
    });

    it('stays with a holder that has nothing to do', async () => {
      const lease = await tryFencedLease(fresh.url, 'idle', 400);
      const since = Date.now();
      await eventually(() => expect(Date.now() - since).toBeGreaterThan(1_000));
      expect(lease!.lost.aborted).toBe(false);
      await lease!.release();
    });

    it('fails without its table, and holds nothing then', async () => {
      const bare = await freshDatabase('bare');
      await expect(tryFencedLease(bare.url, 'x')).rejects.toMatchObject({ code: '42P01' });
      const lease = await tryLease(bare.url, 'x');
      expect(lease).not.toBeNull();
      await lease!.release();
      await bare.drop();
    });
  });
});
