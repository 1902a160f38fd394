import type { Database } from '@patchtrail/postgres';
import type { EventStore } from '../event-store.js';
import { openCheckpoint } from './checkpoints.js';

const COUNTED_MAX = 500;
/** A page may be empty without being the last: a filter costs reading. */
const PAGES_MAX = 20;

export type ReactionLag = Readonly<{
  /** Events that the reaction has not saved as done; counted up to 500. */
  waiting: number;
  /** Since the store recorded the oldest of them, in milliseconds; 0 for none. */
  oldestAgeMs: number;
}>;

/** How far a reaction is behind the store, wherever it is active. */
export async function reactionLag(options: {
  store: EventStore;
  db: Database;
  name: string;
  prefixes: readonly string[];
  now: () => Date;
}): Promise<ReactionLag> {
  const { store, db, name, prefixes, now } = options;
  let from = await openCheckpoint(db, name);
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { events, next } = await store.readAll({ from, prefixes, maxCount: COUNTED_MAX });
    const [oldest] = events;
    if (oldest !== undefined) {
      const age = now().getTime() - Date.parse(oldest.recordedAt);
      return { waiting: events.length, oldestAgeMs: Math.max(0, age) };
    }
    if (next === null) break;
    from = next;
  }
  return { waiting: 0, oldestAgeMs: 0 };
}
