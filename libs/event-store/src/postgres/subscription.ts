import { DatabaseError, type Pool } from 'pg';
import { checkPrefixes } from '../check-append.js';
import type { SubscribeOptions, SubscriptionItem } from '../event-store.js';
import { numberOf, positionFrom } from '../position.js';
import { EVENT_COLUMNS, type EventRow, storedEventOf } from './event-row.js';
import type { WakeUps } from './wake-ups.js';

const PAGE_SIZE = 250;
const POLL_MS = 1_000;

/** Connection exception, insufficient resources, operator intervention, lock not available. */
const PASSING_ERROR_CLASSES = ['08', '53', '55', '57'];

type Page = { events: readonly EventRow[]; head: bigint };

/**
 * Catch-up by keyset pages, then live. Positions become visible in their order, so whatever is
 * beyond the last position seen is new, and nothing can appear before it.
 */
export async function* subscribe(
  pool: Pool,
  wakeUps: WakeUps,
  { after, prefixes, signal }: SubscribeOptions,
): AsyncGenerator<SubscriptionItem> {
  checkPrefixes(prefixes);
  let at = numberOf(after);
  let announced: bigint | null = null;
  const isOver = () => signal.aborted;
  while (!isOver()) {
    const seen = wakeUps.count();
    const page = await nextPage(pool, at, prefixes);
    if (page === null) return;
    for (const row of page.events) {
      yield { kind: 'event', event: storedEventOf(row) };
      if (isOver()) return;
    }
    at = endOf(page, at);
    if (page.events.length === PAGE_SIZE) continue;
    if (at !== announced) {
      announced = at;
      yield { kind: 'caught-up', position: positionFrom(at) };
    }
    await wakeUps.after(seen, POLL_MS, signal);
  }
}

/** A full page may be followed by more; after another one everything up to the head was looked at. */
function endOf({ events, head }: Page, at: bigint): bigint {
  const last = events.at(-1);
  if (events.length === PAGE_SIZE && last !== undefined) return BigInt(last.position);
  return head > at ? head : at;
}

/** `null` where the server cannot be reached: the subscription ends, and its reader resumes it. */
async function nextPage(pool: Pool, at: bigint, prefixes: readonly string[]): Promise<Page | null> {
  try {
    // The head first: it bounds the page, so that a foreign event is not passed over unseen.
    const found = await pool.query<{ head: string | null }>(
      'SELECT max(position) AS head FROM event_store.events',
    );
    const head = BigInt(found.rows[0]?.head ?? 0);
    if (head <= at) return { events: [], head };
    const { rows } = await pool.query<EventRow>(
      `SELECT ${EVENT_COLUMNS} FROM event_store.events
       WHERE position > $1 AND position <= $2 AND ($3::text[] = '{}' OR stream ^@ ANY ($3))
       ORDER BY position LIMIT $4`,
      [at.toString(), head.toString(), prefixes, PAGE_SIZE],
    );
    return { events: rows, head };
  } catch (error) {
    if (!(error instanceof DatabaseError)) return null;
    if (PASSING_ERROR_CLASSES.some((c) => error.code?.startsWith(c) === true)) return null;
    throw error;
  }
}
