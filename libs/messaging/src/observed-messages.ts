import type { Sql } from '@patchtrail/postgres';
import { counter, gauges } from '@patchtrail/telemetry';
import { outboxLag } from './outbox.js';

const WAITING = 'patchtrail.outbox.lag.messages';
const AGE = 'patchtrail.outbox.lag.age';
const PARKED = 'patchtrail.parked.keys';

const PARKED_OPTIONS = { unit: '{key}', description: 'Keys that stand still until somebody acts.' };

const duplicates = counter('patchtrail.inbox.duplicates', {
  unit: '{message}',
  description: 'Deliveries of messages that had been consumed before.',
});
const refusals = counter('patchtrail.inbox.refusals', {
  unit: '{message}',
  description: 'Messages that were consumed and refused.',
});

export function countDuplicate(group: string): void {
  duplicates.add(1, { 'messaging.consumer.group.name': group });
}

export function countRefusal(group: string): void {
  refusals.add(1, { 'messaging.consumer.group.name': group });
}

/** What a group has parked, until the function is called. */
export function observeParked(db: Sql, group: string): () => void {
  return gauges({ [PARKED]: PARKED_OPTIONS }, async () => {
    const value = await countIn(
      db,
      'SELECT count(DISTINCT key)::int AS count FROM parked_messages WHERE consumer_group = $1',
      [group],
    );
    return { [PARKED]: [{ value, attributes: { 'patchtrail.parked.by': group } }] };
  });
}

/** What a relay has before it, and what it has parked, until the function is called. */
export function observeOutbox(db: Sql, relay: string): () => void {
  const attributes = { 'patchtrail.relay.name': relay };
  const named = {
    [WAITING]: { unit: '{message}', description: 'Enqueued and not published.' },
    [AGE]: { unit: 's', description: 'Since the oldest message that waits was enqueued.' },
    [PARKED]: PARKED_OPTIONS,
  };
  return gauges(named, async () => {
    const { waiting, oldestAgeMs } = await outboxLag(db);
    const parked = await countIn(
      db,
      `SELECT count(DISTINCT (topic, key))::int AS count FROM outbox
        WHERE parked_cause IS NOT NULL`,
    );
    return {
      [WAITING]: [{ value: waiting, attributes }],
      [AGE]: [{ value: oldestAgeMs / 1_000, attributes }],
      [PARKED]: [{ value: parked, attributes: { 'patchtrail.parked.by': `outbox.${relay}` } }],
    };
  });
}

async function countIn(db: Sql, query: string, values: readonly unknown[] = []): Promise<number> {
  const [row] = await db.rows<{ count: number }>(query, values);
  return row?.count ?? 0;
}
