import { deleteOlder, type Sql } from '@patchtrail/postgres';

const DAY_MS = 86_400_000;

/**
 * How long a consumer knows what it has had. It must outlive every way in which a message can come
 * again: the bus keeps messages for 7 days unless told, and longer where a group is late.
 */
const INBOX_KEPT_MS = 30 * DAY_MS;

/** Long enough for an audit of a quarter. */
const REFUSED_KEPT_MS = 90 * DAY_MS;

/** Forgets up to 1,000 messages consumed more than 30 days ago; how many it forgot. */
export async function purgeInbox(db: Sql, now: Date): Promise<number> {
  const before = new Date(now.getTime() - INBOX_KEPT_MS);
  return deleteOlder(db, { table: 'inbox', column: 'consumed_at' }, before);
}

/** Forgets up to 1,000 messages refused more than 90 days ago; how many it forgot. */
export async function purgeRefusedMessages(db: Sql, now: Date): Promise<number> {
  const before = new Date(now.getTime() - REFUSED_KEPT_MS);
  return deleteOlder(db, { table: 'refused_messages', column: 'refused_at' }, before);
}
