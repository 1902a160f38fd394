import type { Pool } from 'pg';
import { checkRead } from '../check-append.js';
import type { Direction, ReadOptions, StoredEvent } from '../event-store.js';
import { int4Array, textArray } from './binary-array.js';
import { rowsOf } from './connections.js';
import { EVENT_COLUMNS, EVENT_FORMAT, type EventRow, storedEventOf } from './event-row.js';
import { merged, type Merged, type Outcome } from './merged.js';

type StreamRead = Readonly<{ stream: string; from: number; maxCount: number }>;
type StreamReads = Merged<StreamRead, readonly StoredEvent[]>;

export const READ_LANES = 2;
const BATCH_MAX = { count: 20_000, bytes: 0 };
const QUEUE_MAX = { count: 10_000_000, bytes: 0 };
const WAIT_MS_MAX = 10_000;

/** The positions let the server leave out the partitions where the stream has nothing. */
function readSql(direction: Direction): string {
  const [comparison, order] = direction === 'forwards' ? ['>=', 'ASC'] : ['<=', 'DESC'];
  return `SELECT ${EVENT_COLUMNS}, r.n
    FROM unnest($1::text[], $2::integer[], $3::integer[])
      WITH ORDINALITY r (stream, from_revision, max_count, n)
    JOIN event_store.streams s ON s.stream = r.stream
    CROSS JOIN LATERAL (
      SELECT * FROM event_store.events e
      WHERE e.stream = r.stream AND e.revision ${comparison} r.from_revision
        AND e.position BETWEEN s.from_position AND s.to_position
      ORDER BY e.revision ${order} LIMIT r.max_count) e`;
}

/** Concurrent reads of pages share a query; one that comes alone goes alone. */
export function mergedReads(pool: Pool) {
  const inDirection = (direction: Direction): StreamReads => {
    const query = { name: `read ${direction}`, text: readSql(direction) };
    const sign = direction === 'forwards' ? 1 : -1;
    return merged({
      batchMax: BATCH_MAX,
      queueMax: QUEUE_MAX,
      amountOf: ({ maxCount }) => ({ count: maxCount, bytes: 0 }),
      lanes: READ_LANES,
      waitMsMax: WAIT_MS_MAX,
      run: (reads) => readTogether(pool, query, sign, reads),
    });
  };
  const reads = { forwards: inDirection('forwards'), backwards: inDirection('backwards') };
  return {
    /** @throws InvalidEvent, EventStoreBusy */
    read: async (stream: string, options: ReadOptions): Promise<readonly StoredEvent[]> => {
      const { from, direction, maxCount } = checkRead(stream, options);
      return reads[direction].submit({ stream, from, maxCount });
    },
    close: async () => {
      await Promise.all([reads.forwards.close(), reads.backwards.close()]);
    },
  };
}

async function readTogether(
  pool: Pool,
  query: { name: string; text: string },
  sign: 1 | -1,
  reads: readonly StreamRead[],
): Promise<readonly Outcome<readonly StoredEvent[]>[]> {
  const values = [
    textArray(reads.map(({ stream }) => stream)),
    int4Array(reads.map(({ from }) => from)),
    int4Array(reads.map(({ maxCount }) => maxCount)),
  ];
  const rows = await rowsOf<EventRow>(pool, { ...query, ...EVENT_FORMAT, values });
  const pages: StoredEvent[][] = reads.map(() => []);
  for (const row of rows) pages[Number(row[8]) - 1]?.push(storedEventOf(row));
  // Only the server's plan brought the rows in order; it promises none.
  for (const page of pages) page.sort((a, b) => sign * (a.revision - b.revision));
  return pages.map((result) => ({ ok: true, result }));
}
