import type { CloudEvent } from '@patchtrail/contracts';
import { type Database, failureColumns, type Sql } from '@patchtrail/postgres';
import { type Apply, applyOrRefuse } from './apply.js';
import { lockKey } from './inbox.js';
import { IS_HELD } from './outbox.js';

const REPLAY_MAX = 1_000;

export type ReplayOptions = Readonly<{
  db: Database;
  group: string;
  /** The `partitionkey` of the parked messages. */
  key: string;
  apply: Apply;
}>;

type Parked = Readonly<{
  number: string;
  topic: string;
  partition: number;
  offset: string;
  message: CloudEvent;
}>;

/**
 * Applies the parked messages of a key in their order, each in a transaction of its own, until none
 * is left or 1,000 are done; with none left the key is consumed as before. A refusal is recorded and passed. Any other
 * error ends the replay, is thrown, and becomes the cause of the message that is now first.
 * @returns how many messages are no longer parked
 */
export async function replayParked(options: ReplayOptions): Promise<number> {
  const { db } = options;
  for (let replayed = 0; replayed < REPLAY_MAX; replayed += 1) {
    const first = await firstParked(db, options);
    if (first === null) return replayed;
    try {
      await db.transaction((tx) => replay(options, tx, first));
    } catch (error) {
      await noteFailure(db, first.number, error);
      throw error;
    }
  }
  return REPLAY_MAX;
}

async function noteFailure(db: Sql, number: string, error: unknown): Promise<void> {
  const { code, cause } = failureColumns(error);
  await db.run(
    `UPDATE parked_messages
        SET code = $2, cause = $3, tries = tries + 1, tried_at = clock_timestamp()
      WHERE number = $1`,
    [number, code, cause],
  );
}

async function firstParked(
  sql: Sql,
  { group, key }: Pick<ReplayOptions, 'group' | 'key'>,
): Promise<Parked | null> {
  const [first] = await sql.rows<Parked>(
    `SELECT number::text AS number, topic, partition, "offset"::text AS "offset", message
       FROM parked_messages WHERE consumer_group = $1 AND key = $2 ORDER BY number LIMIT 1`,
    [group, key],
  );
  return first ?? null;
}

async function replay(
  { group, key, apply }: ReplayOptions,
  tx: Sql,
  { number, ...delivery }: Parked,
): Promise<void> {
  await lockKey(tx, group, key);
  const unparked = await tx.run('DELETE FROM parked_messages WHERE number = $1', [number]);
  // None: another replay was faster.
  if (unparked === 0) return;
  await applyOrRefuse(tx, group, { ...delivery, offset: BigInt(delivery.offset) }, apply);
}

/** Lets the relay try the parked messages of a key again. @returns how many were parked */
export async function retryParkedOutbox(db: Sql, key: string): Promise<number> {
  return db.run(
    `UPDATE outbox SET parked_code = NULL, parked_cause = NULL
      WHERE key = $1 AND parked_cause IS NOT NULL`,
    [key],
  );
}

/** Messages that stand still until somebody acts: parked by consumers, or by the relay. */
export async function parkedCount(db: Sql): Promise<number> {
  const [row] = await db.rows<{ count: number }>(
    `SELECT ((SELECT count(*) FROM parked_messages)
           + (SELECT count(*) FROM outbox o WHERE ${IS_HELD}))::int AS count`,
  );
  return row?.count ?? 0;
}
