import {
  type FailureColumns,
  failureColumns,
  type Migration,
  type Sql,
} from '@patchtrail/postgres';

export const parkedReplaysMigration: Migration = {
  name: 'platform-002-parked-replays',
  sql: `
    CREATE TABLE parked_replays (
      number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
      replay_id uuid PRIMARY KEY,
      item_id text NOT NULL,
      owner text NOT NULL,
      key text NOT NULL,
      asked_by text NOT NULL,
      remark text NOT NULL,
      started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      ended_at timestamptz,
      replayed integer,
      waiting integer,
      code text,
      cause text
    );
  `,
};

/** Who had what replayed and why, and what came of it. `endedAt` is `null` while it goes on. */
export type ReplayRecord = Readonly<{
  replayId: string;
  itemId: string;
  owner: string;
  key: string;
  askedBy: string;
  remark: string;
  startedAt: Date;
  endedAt: Date | null;
  replayed: number | null;
  waiting: number | null;
  code: string | null;
  cause: string | null;
}>;

export type ReplayOutcome = Readonly<{ replayed: number; waiting: number }>;

const COLUMNS = `replay_id AS "replayId", item_id AS "itemId", owner, key, asked_by AS "askedBy",
  remark, started_at AS "startedAt", ended_at AS "endedAt", replayed, waiting, code, cause`;

export async function latestReplays(db: Sql, limit: number): Promise<readonly ReplayRecord[]> {
  return db.rows<ReplayRecord>(
    `SELECT ${COLUMNS} FROM parked_replays ORDER BY number DESC LIMIT $1`,
    [limit],
  );
}

export async function findReplay(db: Sql, replayId: string): Promise<ReplayRecord | null> {
  const [found] = await db.rows<ReplayRecord>(
    `SELECT ${COLUMNS} FROM parked_replays WHERE replay_id = $1`,
    [replayId],
  );
  return found ?? null;
}

/** Before anything is replayed. False when a request with the same key is faster. */
export async function beginReplay(
  db: Sql,
  of: Pick<ReplayRecord, 'replayId' | 'itemId' | 'owner' | 'key' | 'askedBy' | 'remark'>,
): Promise<boolean> {
  const begun = await db.run(
    `INSERT INTO parked_replays (replay_id, item_id, owner, key, asked_by, remark)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
    [of.replayId, of.itemId, of.owner, of.key, of.askedBy, of.remark],
  );
  return begun === 1;
}

export async function endReplay(
  db: Sql,
  replayId: string,
  { replayed, waiting }: ReplayOutcome,
): Promise<void> {
  await db.run(
    `UPDATE parked_replays SET ended_at = clock_timestamp(), replayed = $2, waiting = $3
      WHERE replay_id = $1`,
    [replayId, replayed, waiting],
  );
}

export async function failReplay(
  db: Sql,
  replayId: string,
  error: unknown,
): Promise<FailureColumns> {
  const failure = failureColumns(error);
  await db.run(
    `UPDATE parked_replays SET ended_at = clock_timestamp(), code = $2, cause = $3
      WHERE replay_id = $1`,
    [replayId, failure.code, failure.cause],
  );
  return failure;
}
