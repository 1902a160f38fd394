import { deleteOlder, type Sql } from '@patchtrail/postgres';

/** Long enough for an audit of a quarter. */
const REFUSED_KEPT_MS = 90 * 86_400_000;

/** Forgets up to 1,000 events that a reaction refused more than 90 days ago; how many it forgot. */
export async function purgeRefusedEvents(db: Sql, now: Date): Promise<number> {
  const before = new Date(now.getTime() - REFUSED_KEPT_MS);
  return deleteOlder(db, { table: 'refused_events', column: 'refused_at' }, before);
}
