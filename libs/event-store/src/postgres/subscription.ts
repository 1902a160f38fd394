import type { Pool } from 'pg';
import { checkPrefixes } from '../check-append.js';
import type { SubscribeOptions, SubscriptionItem } from '../event-store.js';
import { numberOf, positionFrom } from '../position.js';
import { isPassing } from './connections.js';
import { type EventRow, storedEventOf } from './event-row.js';
import { eventsAfter, headAfter } from './log-page.js';
import { PositionArchived } from './position-archived.js';
import { scannedTo } from './read-all.js';
import type { WakeUps } from './wake-ups.js';

const PAGE_EVENTS_FIRST = 250;
const PAGE_EVENTS_MAX = 1_000;
const PAGE_EVENTS_MIN = 10;
/** A page of events like those of the page before would hold about this much text. */
const PAGE_LENGTH = 2_097_152;
const POLL_MS = 1_000;

/** Where the store ended when it was last looked at, and the notifications received by then. */
type Horizon = Readonly<{ head: bigint; seen: number }>;

/** Everything up to `end` was looked at. */
type Page = Readonly<{ rows: readonly EventRow[]; end: bigint; horizon: Horizon }>;

type Fetch = (at: bigint, horizon: Horizon, maxCount: number) => Promise<Page | null>;

/**
 * Catch-up by keyset pages, then live. Positions become visible in their order, so whatever is
 * beyond the last position seen is new, and nothing can appear before it. While a page is consumed
 * the next one is on its way.
 */
export async function* subscribe(
  pool: Pool,
  wakeUps: WakeUps,
  { after, prefixes, signal }: SubscribeOptions,
): AsyncGenerator<SubscriptionItem> {
  checkPrefixes(prefixes);
  const fetch = fetchFrom(pool, wakeUps, prefixes);
  let at = numberOf(after);
  let horizon: Horizon = { head: 0n, seen: 0 };
  let maxCount = PAGE_EVENTS_FIRST;
  let announced: bigint | null = null;
  let ahead: Promise<Page | null> | null = null;
  const isOver = () => signal.aborted;
  while (!isOver()) {
    const page: Page | null = await (ahead ?? fetch(at, horizon, maxCount));
    if (page === null) return;
    ({ end: at, horizon } = page);
    maxCount = nextCount(page.rows, maxCount);
    ahead = at < horizon.head ? fetchAhead(fetch, page, maxCount) : null;
    for (const row of page.rows) {
      yield { kind: 'event', event: storedEventOf(row) };
      if (isOver()) return;
    }
    if (ahead !== null) continue;
    if (at !== announced) {
      announced = at;
      yield { kind: 'caught-up', position: positionFrom(at) };
    }
    await wakeUps.after(horizon.seen, POLL_MS, signal);
  }
}

function fetchAhead(fetch: Fetch, { end, horizon }: Page, maxCount: number): Promise<Page | null> {
  const ahead = fetch(end, horizon, maxCount);
  // Whoever awaits it meets the error; a reader that leaves before does not care.
  ahead.catch(() => undefined);
  return ahead;
}

/** `null` where the server cannot be reached: the subscription ends, and its reader resumes it. */
function fetchFrom(pool: Pool, wakeUps: WakeUps, prefixes: readonly string[]): Fetch {
  return async (at, known, maxCount) => {
    try {
      const horizon = known.head > at ? known : await look(pool, wakeUps, at);
      if (horizon.head <= at) return { rows: [], end: at, horizon };
      const to = scannedTo(at, horizon.head, prefixes);
      const rows = await eventsAfter(pool, { after: at, to, prefixes, maxCount });
      const last = rows.at(-1);
      const isFull = rows.length === maxCount && last !== undefined;
      return { rows, end: isFull ? BigInt(last[0]) : to, horizon };
    } catch (error) {
      if (error instanceof PositionArchived || !isPassing(error)) throw error;
      return null;
    }
  };
}

async function look(pool: Pool, wakeUps: WakeUps, at: bigint): Promise<Horizon> {
  const seen = wakeUps.count();
  return { seen, head: await headAfter(pool, at) };
}

function nextCount(rows: readonly EventRow[], count: number): number {
  const length = rows.reduce((sum, row) => sum + row[5].length + row[6].length, 0);
  const fitting = Math.floor((PAGE_LENGTH * rows.length) / Math.max(1, length));
  if (rows.length === 0) return count;
  return Math.max(PAGE_EVENTS_MIN, Math.min(fitting, PAGE_EVENTS_MAX));
}
