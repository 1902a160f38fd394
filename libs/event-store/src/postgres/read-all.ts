import type { Pool } from 'pg';
import { checkReadAll } from '../check-append.js';
import type { AllPage, ReadAllOptions } from '../event-store.js';
import { numberOf, positionFrom } from '../position.js';
import { type EventRow, storedEventOf } from './event-row.js';
import {
  eventsAfter,
  eventsBefore,
  headAfter,
  liveBefore,
  SCANNED_POSITIONS_MAX,
} from './log-page.js';

/** @throws InvalidEvent; PositionArchived where the next events in this direction are archived */
export async function readAll(pool: Pool, given: ReadAllOptions): Promise<AllPage> {
  const options = checkReadAll(given);
  const from = options.from === null ? null : numberOf(options.from);
  return options.direction === 'forwards'
    ? readForwards(pool, from ?? 0n, options)
    : readBackwards(pool, from, options);
}

type PageOptions = { prefixes: readonly string[]; maxCount: number };

async function readForwards(pool: Pool, after: bigint, options: PageOptions): Promise<AllPage> {
  const head = await headAfter(pool, after);
  if (head <= after) return { events: [], next: null };
  const to = scannedTo(after, head, options.prefixes);
  const rows = await eventsAfter(pool, { ...options, after, to });
  return pageOf(rows, options.maxCount, to < head ? to : null);
}

async function readBackwards(
  pool: Pool,
  from: bigint | null,
  options: PageOptions,
): Promise<AllPage> {
  const before = from ?? (await headAfter(pool, POSITION_MAX)) + 1n;
  const end = options.prefixes.length === 0 ? 1n : before - SCANNED_POSITIONS_MAX;
  const rows = await eventsBefore(pool, { ...options, before, from: end });
  // Looked up after the events: a range that leaves in between must not be passed over.
  const live = await liveBefore(pool, before);
  const isAtStart = end <= 1n && live <= 1n;
  return pageOf(rows, options.maxCount, isAtStart ? null : live > end ? live : end);
}

const POSITION_MAX = 2n ** 63n - 2n;

/** A full page goes on after its last event, another one where the query stopped looking. */
function pageOf(rows: readonly EventRow[], maxCount: number, end: bigint | null): AllPage {
  const events = rows.map(storedEventOf);
  if (events.length === maxCount) return { events, next: events.at(-1)?.position ?? null };
  return { events, next: end === null ? null : positionFrom(end) };
}

export function scannedTo(after: bigint, head: bigint, prefixes: readonly string[]): bigint {
  const end = after + SCANNED_POSITIONS_MAX;
  return prefixes.length === 0 || head < end ? head : end;
}
