import type { CloudEvent } from '@patchtrail/contracts';
import { failureColumns, type Sql } from '@patchtrail/postgres';
import type { BusRefusal } from './bus.js';

/** One batch in memory: at most this many rows, and no further row beyond this many bytes. */
const BATCH_ROWS_MAX = 200;
const BATCH_BYTES_MAX = 8 * 1_048_576;

/** Whether the outbox row `o` is parked, or stands behind a parked one of its key. */
export const IS_HELD = `EXISTS (
  SELECT 1 FROM outbox p
   WHERE p.parked_cause IS NOT NULL AND p.topic = o.topic AND p.key = o.key AND p.number <= o.number)`;

export type Entry = Readonly<{ number: string; topic: string; key: string; message: CloudEvent }>;

/** The oldest entries that stand behind no parked one of their key. */
export async function nextEntries(db: Sql): Promise<readonly Entry[]> {
  return db.rows<Entry>(
    `SELECT number::text AS number, topic, key, message FROM (
       SELECT o.*, sum(octet_length(o.message::text)) OVER (ORDER BY o.number)
                   - octet_length(o.message::text) AS bytes_before
         FROM (SELECT * FROM outbox o WHERE NOT ${IS_HELD} ORDER BY number LIMIT $1) o) batch
      WHERE bytes_before < $2
      ORDER BY batch.number`,
    [BATCH_ROWS_MAX, BATCH_BYTES_MAX],
  );
}

export async function removeEntries(tx: Sql, entries: readonly Entry[]): Promise<void> {
  await tx.run('DELETE FROM outbox WHERE number = ANY($1::bigint[])', [
    entries.map(({ number }) => number),
  ]);
}

export async function parkEntry(tx: Sql, { number }: Entry, refusal: BusRefusal): Promise<void> {
  const { code, cause } = failureColumns(refusal);
  await tx.run(
    `UPDATE outbox SET parked_code = $2, parked_cause = $3, tries = tries + 1,
            parked_at = coalesce(parked_at, clock_timestamp()), tried_at = clock_timestamp()
      WHERE number = $1`,
    [number, code, cause],
  );
}

/** What has not been published yet, without what is parked; the age in milliseconds, 0 for none. */
export type RelayLag = Readonly<{ waiting: number; oldestAgeMs: number }>;

export async function outboxLag(db: Sql): Promise<RelayLag> {
  const [row] = await db.rows<RelayLag>(
    `SELECT count(*)::int AS waiting,
            coalesce(floor(extract(epoch FROM clock_timestamp() - min(enqueued_at)) * 1000), 0)::int
              AS "oldestAgeMs"
       FROM outbox o WHERE NOT ${IS_HELD}`,
  );
  return row ?? { waiting: 0, oldestAgeMs: 0 };
}
