import {
  type DataOf,
  type EventDefinition,
  type EventOrigin,
  toCloudEvent,
} from '@patchtrail/contracts';
import type { Sql } from '@patchtrail/postgres';
import { currentTraceparent } from '@patchtrail/telemetry';

/**
 * Writes an event to the outbox in the caller's transaction; the relay publishes it after the
 * commit. `sequence` becomes the outbox number, `recordedtime` the database's clock, `traceparent`
 * the span around this call where there is one.
 * The key stays locked until the transaction ends, so that two transactions of one aggregate get
 * their numbers in the order of their commits. Where one transaction enqueues several keys, use a
 * fixed order of keys, or two of them can deadlock (and one is rolled back).
 * @throws ContractViolation
 */
export async function enqueue<D extends EventDefinition>(
  tx: Sql,
  definition: D,
  origin: Omit<EventOrigin, 'sequence' | 'recordedTime'>,
  data: DataOf<D>,
): Promise<void> {
  await tx.rows(`SELECT pg_advisory_xact_lock(hashtextextended('outbox/' || $1, 0))`, [origin.key]);
  const [entry] = await tx.rows<{ number: string; recorded_time: string }>(
    `SELECT nextval(pg_get_serial_sequence('outbox', 'number'))::text AS number,
            to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
              AS recorded_time`,
  );
  if (entry === undefined) throw new Error('The outbox gave no number.');
  const sequence = BigInt(entry.number);
  const traceparent = currentTraceparent() ?? origin.traceparent;
  const known = { ...origin, traceparent, sequence, recordedTime: entry.recorded_time };
  const message = toCloudEvent(definition, known, data);
  await tx.run(
    `INSERT INTO outbox (number, topic, key, message_id, type, message)
     VALUES ($1, $2, $3, $4, $5, $6::json)`,
    [entry.number, definition.topic, origin.key, message.id, message.type, JSON.stringify(message)],
  );
}
