import type { CloudEvent } from '@patchtrail/contracts';
import type { Sql } from '@patchtrail/postgres';
import { IS_HELD } from './outbox.js';

/** A message that stands still; `code` and `cause` are `null` where it waits behind another one. */
export type ParkedMessage = Readonly<{
  /** In the order of the table it stands in. */
  number: string;
  /** The consumer group, `null` in the outbox. */
  group: string | null;
  topic: string;
  key: string;
  partition: number | null;
  offset: string | null;
  messageId: string;
  type: string;
  code: string | null;
  cause: string | null;
  tries: number;
  parkedAt: Date;
  triedAt: Date | null;
}>;

export type ParkedWindow = Readonly<{ after: string; limit: number }>;

/** From the message only where it was written before it had its columns. */
const NAMED = `coalesce(message_id, message ->> 'id') AS "messageId",
  coalesce(type, message ->> 'type') AS type`;

/** The number is text here: what is ordered by it must name the table's. */
const CONSUMED = `number::text, consumer_group AS "group", topic, key, partition,
  "offset"::text AS "offset", ${NAMED}, code, cause, tries, parked_at AS "parkedAt", tried_at AS "triedAt"`;

const ENQUEUED = `number::text, NULL AS "group", topic, key, NULL::int AS partition,
  NULL AS "offset", ${NAMED},
  CASE WHEN parked_cause IS NOT NULL THEN parked_code END AS code, parked_cause AS cause, tries,
  coalesce(parked_at, enqueued_at) AS "parkedAt", tried_at AS "triedAt"`;

/** What consumers have parked, in that order. */
export async function parkedMessages(
  db: Sql,
  { after, limit }: ParkedWindow,
): Promise<readonly ParkedMessage[]> {
  return db.rows<ParkedMessage>(
    `SELECT ${CONSUMED} FROM parked_messages WHERE number > $1 ORDER BY parked_messages.number LIMIT $2`,
    [after, limit],
  );
}

/** What the relay has parked, and what stands behind it, in the order of the outbox. */
export async function parkedOutbox(
  db: Sql,
  { after, limit }: ParkedWindow,
): Promise<readonly ParkedMessage[]> {
  return db.rows<ParkedMessage>(
    `SELECT ${ENQUEUED} FROM outbox o WHERE number > $1 AND ${IS_HELD} ORDER BY o.number LIMIT $2`,
    [after, limit],
  );
}

export type WholeParkedMessage = ParkedMessage & Readonly<{ message: CloudEvent }>;

export async function parkedMessage(db: Sql, number: string): Promise<WholeParkedMessage | null> {
  const [found] = await db.rows<WholeParkedMessage>(
    `SELECT ${CONSUMED}, message FROM parked_messages WHERE number = $1`,
    [number],
  );
  return found ?? null;
}

export async function parkedInOutbox(db: Sql, number: string): Promise<WholeParkedMessage | null> {
  const [found] = await db.rows<WholeParkedMessage>(
    `SELECT ${ENQUEUED}, message FROM outbox o WHERE number = $1 AND ${IS_HELD}`,
    [number],
  );
  return found ?? null;
}
