import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DomainError } from '@patchtrail/event-sourcing';
import { type Database, openDatabase, type Sql } from '@patchtrail/postgres';
import { eventually, freshDatabase, type FreshDatabase } from '@patchtrail/testing';
import {
  claim,
  createLogger,
  type Idempotency,
  idempotencyMigration,
  once,
  type Purge,
  purgeIdempotencyKeys,
  runPurge,
} from '../index.js';

const effects = {
  name: 'spec-001-effects',
  sql: 'CREATE TABLE effects (id int GENERATED ALWAYS AS IDENTITY, note text)',
};
const request: Idempotency = {
  scope: 'person:pat POST /v1/things',
  key: 'k-1',
  payloadDigest: 'sha256:a',
};
const reused = { status: 422, code: 'idempotency-key-reused' };

let fresh: FreshDatabase;
let db: Database;

beforeAll(async () => {
  fresh = await freshDatabase('idempotency');
  const migrations = [idempotencyMigration, effects];
  db = await openDatabase({ url: fresh.url, applicationName: 'spec', migrations });
});
afterAll(async () => {
  await db.close();
  await fresh.drop();
});
beforeEach(async () => {
  await db.run('TRUNCATE effects, idempotency_keys RESTART IDENTITY');
});

const count = async (table: 'effects' | 'idempotency_keys'): Promise<number | undefined> => {
  const [row] = await db.rows<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`);
  return row?.n;
};

async function effect(tx: Sql): Promise<{ id: number; z: null; a: string }> {
  const [row] = await tx.rows<{ id: number }>(
    "INSERT INTO effects (note) VALUES ('x') RETURNING id",
  );
  return { id: row?.id ?? 0, z: null, a: 'ü' };
}

describe('once', () => {
  it('has its effect once, and gives the same result to a repetition', async () => {
    const first = await once(db, request, effect);
    const again = await once(db, request, effect);
    expect(first).toEqual({ id: 1, z: null, a: 'ü' });
    expect(JSON.stringify(again)).toBe(JSON.stringify(first));
    expect(await count('effects')).toBe(1);
  });

  it('keeps a result of nothing', async () => {
    const nothing = async (tx: Sql) => {
      await effect(tx);
    };
    await once(db, request, nothing);
    await once(db, request, nothing);
    expect(await count('effects')).toBe(1);
  });

  it('refuses the key for another payload, and changes nothing', async () => {
    await once(db, request, effect);
    const other = { ...request, payloadDigest: 'sha256:b' };
    await expect(once(db, other, effect)).rejects.toMatchObject(reused);
    expect(await count('effects')).toBe(1);
  });

  it('keeps the keys of each principal and route apart', async () => {
    await once(db, request, effect);
    const other = { ...request, scope: 'person:bo POST /v1/things', payloadDigest: 'sha256:b' };
    expect(await once(db, other, effect)).toMatchObject({ id: 2 });
  });

  it('forgets a key whose work was refused', async () => {
    const refuse = async (tx: Sql) => {
      await effect(tx);
      throw new DomainError('already-decided');
    };
    await expect(once(db, request, refuse)).rejects.toThrow('already-decided');
    expect([await count('effects'), await count('idempotency_keys')]).toEqual([0, 0]);
    await once(db, request, effect);
    expect(await count('effects')).toBe(1);
  });

  it('gives the result to a duplicate that waited for it', async () => {
    const results = await Promise.all([1, 2, 3, 4].map(() => once(db, request, effect)));
    expect(new Set(results.map(({ id }) => id))).toEqual(new Set([1]));
    expect(await count('effects')).toBe(1);
  });

  it('refuses a duplicate that would have to wait too long', async () => {
    let finish: () => void = () => undefined;
    let begun: () => void = () => undefined;
    const hold = new Promise<void>((resolve) => (finish = resolve));
    const started = new Promise<void>((resolve) => (begun = resolve));
    const slow = once(db, request, async (tx) => {
      begun();
      await hold;
      return effect(tx);
    });
    await started;
    const late = await once(db, request, effect).catch((error: unknown) => error);
    finish();
    expect(late).toMatchObject({ status: 409, code: 'request-in-flight' });
    expect(await slow).toMatchObject({ id: 1 });
  });

  it('limits the wait to the key: the work waits as long as it would without', async () => {
    const lockTimeout = async (tx: Sql) => tx.rows("SELECT current_setting('lock_timeout') AS t");
    expect(await once(db, request, lockTimeout)).toEqual(await db.transaction(lockTimeout));
  });

  it('is a plain transaction without a key', async () => {
    expect(await once(db, null, effect)).toMatchObject({ id: 1 });
    expect(await once(db, null, effect)).toMatchObject({ id: 2 });
    expect(await count('idempotency_keys')).toBe(0);
  });
});

describe('claim', () => {
  it('binds a key to its payload', async () => {
    await claim(db, request);
    await claim(db, request);
    const other = { ...request, payloadDigest: 'sha256:b' };
    await expect(claim(db, other)).rejects.toMatchObject(reused);
    await claim(db, { ...other, key: 'k-2' });
    await claim(db, null);
    expect(await count('idempotency_keys')).toBe(2);
  });
});

describe('old keys', () => {
  it('are forgotten after 24 hours, a thousand at a time', async () => {
    await claim(db, request);
    await db.run(
      `INSERT INTO idempotency_keys (scope, key, payload_digest, created_at)
       SELECT 's', n::text, 'd', now() - interval '25 hours' FROM generate_series(1, 1200) n`,
    );
    const now = new Date();
    expect(await purgeIdempotencyKeys(db, now)).toBe(1_000);
    expect(await purgeIdempotencyKeys(db, now)).toBe(200);
    expect(await purgeIdempotencyKeys(db, now)).toBe(0);
    expect(await count('idempotency_keys')).toBe(1);
  });
});

describe('the purge of old keys', () => {
  const old = (keys: number) =>
    db.run(
      `INSERT INTO idempotency_keys (scope, key, payload_digest, created_at)
       SELECT 's', n::text, 'd', now() - interval '25 hours' FROM generate_series(1, $1) n`,
      [keys],
    );
  const running = (changes: Partial<Purge>) => {
    const stop = new AbortController();
    const forget = [purgeIdempotencyKeys];
    const common = { db, forget, now: () => new Date(), log: createLogger('spec', 'silent') };
    const purge = runPurge({ ...common, ...changes, signal: stop.signal });
    return async () => {
      stop.abort();
      await purge.done;
    };
  };

  it('forgets all of them at once, and ends when it is told to', async () => {
    await claim(db, request);
    await old(2_500);
    const stop = running({});
    await eventually(async () => {
      expect(await count('idempotency_keys')).toBe(1);
    });
    await stop();
  });

  it('goes on, also after a failure', async () => {
    let failures = 0;
    const failing: Sql = {
      ...db,
      run: (sql, values) => {
        failures += 1;
        return failures < 3 ? Promise.reject(new Error('gone')) : db.run(sql, values);
      },
    };
    await old(1);
    const stop = running({ db: failing, everyMs: 5 });
    await eventually(async () => {
      expect(await count('idempotency_keys')).toBe(0);
    });
    await stop();
    expect(failures).toBeGreaterThan(2);
  });

  it('forgets the one kind although another cannot be forgotten', async () => {
    const unable = () => Promise.reject(new Error('no such table'));
    await old(1);
    const stop = running({ forget: [unable, purgeIdempotencyKeys] });
    await eventually(async () => {
      expect(await count('idempotency_keys')).toBe(0);
    });
    await stop();
  });
});
