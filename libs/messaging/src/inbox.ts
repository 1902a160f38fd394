import type { CloudEvent, ContractViolation } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import { failureColumns, type Sql } from '@patchtrail/postgres';
import type { Delivery } from './bus.js';

/** Consumed and recorded, not tried again. */
export type Refusal = DomainError | ContractViolation;

/** Until the transaction ends: a replay of the key and a new message of it take turns. */
export async function lockKey(tx: Sql, group: string, key: string): Promise<void> {
  await tx.rows(`SELECT pg_advisory_xact_lock(hashtextextended('inbox/' || $1 || '/' || $2, 0))`, [
    group,
    key,
  ]);
}

/** False if the group has had the message before. */
export async function receive(tx: Sql, group: string, message: CloudEvent): Promise<boolean> {
  const inserted = await tx.run(
    `INSERT INTO inbox (consumer_group, source, message_id) VALUES ($1, $2, $3)
     ON CONFLICT DO NOTHING`,
    [group, message.source, message.id],
  );
  return inserted === 1;
}

export async function isParked(tx: Sql, group: string, key: string): Promise<boolean> {
  const waiting = await tx.rows(
    'SELECT 1 FROM parked_messages WHERE consumer_group = $1 AND key = $2 LIMIT 1',
    [group, key],
  );
  return waiting.length > 0;
}

export type Failed = Readonly<{ error: unknown; tries: number }>;

/** Without a failure it waits behind what has been parked of its key. */
export async function park(
  tx: Sql,
  group: string,
  { topic, partition, offset, message }: Delivery,
  failed: Failed | null,
): Promise<void> {
  const { code, cause } = failed === null ? NOTHING_WRONG : failureColumns(failed.error);
  const { partitionkey, id, type } = message;
  const values = [group, partitionkey, topic, partition, String(offset), id, type];
  await tx.run(
    `INSERT INTO parked_messages
       (consumer_group, key, topic, partition, "offset", message_id, type, message, code, cause,
        tries, tried_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8::json, $9, $10, $11,
             CASE WHEN $11 > 0 THEN clock_timestamp() END)`,
    [...values, JSON.stringify(message), code, cause, failed?.tries ?? 0],
  );
}

const NOTHING_WRONG = { code: null, cause: null };

export async function refuse(
  tx: Sql,
  group: string,
  { topic, partition, offset, message }: Delivery,
  refusal: Refusal,
): Promise<void> {
  const code = refusal instanceof DomainError ? refusal.code : 'contract-violation';
  const { cause } = failureColumns(refusal);
  await tx.run(
    `INSERT INTO refused_messages
       (consumer_group, topic, partition, "offset", code, cause, message)
     VALUES ($1, $2, $3, $4, $5, $6, $7::json)`,
    [group, topic, partition, String(offset), code, cause, JSON.stringify(message)],
  );
}
