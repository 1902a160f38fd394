import type { Pool } from 'pg';
import { positionFrom } from '../position.js';
import { rowsOf } from './connections.js';
import { EVENT_COLUMNS, EVENT_FORMAT, type EventRow } from './event-row.js';
import { PositionArchived } from './position-archived.js';

/** How many positions one query looks at where a filter may leave out nearly all of them. */
export const SCANNED_POSITIONS_MAX = 20_000n;

export type ForwardQuery = Readonly<{
  /** Exclusive. */
  after: bigint;
  /** Inclusive. */
  to: bigint;
  prefixes: readonly string[];
  maxCount: number;
}>;

/** The newest position, 0 in an empty store. @throws PositionArchived where any after `at` is */
export async function headAfter(pool: Pool, at: bigint): Promise<bigint> {
  const rows = await rowsOf<{ head: string | null; archived: string | null }>(pool, {
    name: 'head',
    text: `SELECT coalesce((SELECT max(position) FROM event_store.events),
        (SELECT max(to_position) - 1 FROM event_store.archived_ranges)) AS head,
      (SELECT min(to_position) FROM event_store.archived_ranges
       WHERE to_position > $1::bigint + 1) AS archived`,
    values: [at.toString()],
  });
  const archived = rows[0]?.archived ?? null;
  if (archived !== null) throw await archivedRange(pool, at, archived);
  return BigInt(rows[0]?.head ?? 0);
}

/** @throws PositionArchived where events after the start are, though there may be others behind */
export async function eventsAfter(
  pool: Pool,
  { after, to, prefixes, maxCount }: ForwardQuery,
): Promise<readonly EventRow[]> {
  const [suffix, filter] = filterOf(prefixes, 4);
  // In the same snapshot: a range that leaves between two pages must not be passed over.
  const rows = await rowsOf<EventRow>(pool, {
    ...EVENT_FORMAT,
    name: `events after${suffix}`,
    text: `SELECT ${EVENT_COLUMNS}, (SELECT min(to_position) FROM event_store.archived_ranges
        WHERE to_position > $1::bigint + 1) AS archived
      FROM event_store.events e WHERE position > $1 AND position <= $2 ${filter}
      ORDER BY position LIMIT $3`,
    values: [after.toString(), to.toString(), maxCount, ...(filter === '' ? [] : [prefixes])],
  });
  const [first] = rows;
  if (first === undefined) await headAfter(pool, after);
  else if (typeof first[8] === 'string') throw await archivedRange(pool, after, first[8]);
  return rows;
}

export type BackwardQuery = Readonly<{
  /** Exclusive. */
  before: bigint;
  /** Inclusive. */
  from: bigint;
  prefixes: readonly string[];
  maxCount: number;
}>;

export async function eventsBefore(
  pool: Pool,
  { before, from, prefixes, maxCount }: BackwardQuery,
): Promise<readonly EventRow[]> {
  const [suffix, filter] = filterOf(prefixes, 4);
  const rows = await rowsOf<EventRow>(pool, {
    ...EVENT_FORMAT,
    name: `events before${suffix}`,
    text: `SELECT ${EVENT_COLUMNS} FROM event_store.events e
      WHERE position < $1 AND position >= $2 ${filter} ORDER BY position DESC LIMIT $3`,
    values: [before.toString(), from.toString(), maxCount, ...(filter === '' ? [] : [prefixes])],
  });
  return rows;
}

/** The first position after the newest archived range before `at`; 1 where there is none. */
export async function liveBefore(pool: Pool, at: bigint): Promise<bigint> {
  const rows = await rowsOf<{ live: string | null }>(pool, {
    name: 'live before',
    text: `SELECT max(to_position) AS live FROM event_store.archived_ranges
      WHERE from_position < $1`,
    values: [at.toString()],
  });
  const live = rows[0]?.live ?? null;
  if (live === null) return 1n;
  if (BigInt(live) >= at) throw await archivedRange(pool, at, live);
  return BigInt(live);
}

function filterOf(prefixes: readonly string[], parameter: number): readonly [string, string] {
  return prefixes.length === 0 ? ['', ''] : [', filtered', `AND stream ^@ ANY ($${parameter})`];
}

async function archivedRange(pool: Pool, at: bigint, end: string): Promise<Error> {
  const rows = await rowsOf<{ first: string; file: string }>(pool, {
    text: 'SELECT from_position AS first, file FROM event_store.archived_ranges WHERE to_position = $1',
    values: [end],
  });
  const [range] = rows;
  if (range === undefined) return new Error(`The events before ${end} are being restored.`);
  return new PositionArchived(
    at === 0n ? null : positionFrom(at),
    { first: positionFrom(BigInt(range.first)), last: positionFrom(BigInt(end) - 1n) },
    range.file,
  );
}
