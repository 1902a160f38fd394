import type { Sql } from '@patchtrail/postgres';

/** Long enough for an audit of a quarter. */
const REFUSED_KEPT_MS = 90 * 86_400_000;
const BATCH = 1_000;

/** Forgets up to 1,000 events that a reaction refused more than 90 days ago; how many it forgot. */
export async function purgeRefusedEvents(db: Sql, now: Date): Promise<number> {
  return db.run(
    `DELETE FROM refused_events WHERE ctid IN (
       SELECT ctid FROM refused_events WHERE refused_at < $1
       ORDER BY refused_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
    [new Date(now.getTime() - REFUSED_KEPT_MS), BATCH],
  );
}
