import { setTimeout } from 'node:timers/promises';
import type { CloudEvent } from '@patchtrail/contracts';
import { type Database, failureColumns, type Sql } from '@patchtrail/postgres';
import { type Apply, applyOrRefuse } from './apply.js';
import { lockKey } from './inbox.js';
import { IS_HELD } from './outbox.js';

const REPLAY_MAX = 1_000;
const OUTBOX_POLL_MS = 50;

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
       FROM parked_messages WHERE consumer_group = $1 AND key = $2
      ORDER BY parked_messages.number LIMIT 1`,
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

/** The relay has tried again, and parked it again. */
export class ParkedAgain extends Error {
  constructor(
    readonly code: string,
    cause: string,
  ) {
    super(cause);
    this.name = 'ParkedAgain';
  }
}

export type OutboxReplay = Readonly<{
  /** What the relay has published since. */
  replayed: number;
  /** What it has not got to; it will, unless it parks it again. */
  waiting: number;
}>;

/**
 * Lets the relay try what is parked of a key, at most 1,000 messages, and waits for what comes of it.
 * @throws ParkedAgain
 */
export async function replayParkedOutbox(
  db: Sql,
  key: string,
  deadlineMs = 5_000,
): Promise<OutboxReplay> {
  const held = await db.rows<{ number: string }>(
    `SELECT number::text FROM outbox o WHERE key = $1 AND ${IS_HELD} ORDER BY o.number LIMIT $2`,
    [key, REPLAY_MAX],
  );
  const numbers = held.map(({ number }) => number);
  await retryParkedOutbox(db, key);
  const end = performance.now() + deadlineMs;
  for (;;) {
    const waiting = await stillThere(db, numbers);
    if (waiting === 0 || performance.now() >= end) {
      return { replayed: numbers.length - waiting, waiting };
    }
    await setTimeout(OUTBOX_POLL_MS);
  }
}

async function stillThere(db: Sql, numbers: readonly string[]): Promise<number> {
  const rows = await db.rows<{ code: string | null; cause: string | null }>(
    `SELECT parked_code AS code, parked_cause AS cause FROM outbox
      WHERE number = ANY($1::bigint[]) ORDER BY number`,
    [numbers],
  );
  for (const { code, cause } of rows) {
    if (cause !== null) throw new ParkedAgain(code ?? 'unexpected', cause);
  }
  return rows.length;
}

/** Messages that stand still until somebody acts: parked by consumers, or by the relay. */
export async function parkedCount(db: Sql): Promise<number> {
  const [row] = await db.rows<{ count: number }>(
    `SELECT ((SELECT count(*) FROM parked_messages)
           + (SELECT count(*) FROM outbox o WHERE ${IS_HELD}))::int AS count`,
  );
  return row?.count ?? 0;
}
