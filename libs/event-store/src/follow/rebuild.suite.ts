import type { Database, Sql } from '@patchtrail/postgres';
import type { EventStore, NewEvent, StoredEvent } from '../event-store.js';
import { newEvent } from '../test-events.suite.js';
import type { ProjectionDefinition } from './projection.js';
import { projectTimer, TIMERS_TABLE } from './timers.js';

/** Rows with much that has to outlive a swap. */
export const COUNTER_TABLES = `
  CREATE TABLE counters (
    stream text PRIMARY KEY,
    number bigint NOT NULL UNIQUE,
    total integer NOT NULL DEFAULT 0 CONSTRAINT total_is_positive CHECK (total >= 0),
    labels text[] NOT NULL DEFAULT '{}'
  );
  CREATE INDEX counters_by_size ON counters (total DESC) WHERE total > 0;
  CREATE TABLE entries (
    counter bigint NOT NULL CONSTRAINT entry_of REFERENCES counters (number),
    revision integer NOT NULL,
    kind text NOT NULL DEFAULT 'plain',
    doubled integer GENERATED ALWAYS AS (revision * 2) STORED,
    CONSTRAINT entry_is_one PRIMARY KEY (counter, revision)
  );
  COMMENT ON TABLE entries IS 'one for each event';`;

async function apply(tx: Sql, event: StoredEvent): Promise<void> {
  await projectTimer(tx, event);
  await tx.run(
    `INSERT INTO counters AS known (stream, number, total)
     SELECT $1, coalesce(max(number), 0) + 1, 1 FROM counters
     ON CONFLICT (stream) DO UPDATE SET total = known.total + 1, labels = known.labels || $2::text`,
    [event.stream, event.type],
  );
  await tx.run(
    'INSERT INTO entries (counter, revision) SELECT number, $2 FROM counters WHERE stream = $1',
    [event.stream, event.revision],
  );
}

export const counterRows: ProjectionDefinition = {
  name: 'counter.rows',
  prefixes: ['counter-'],
  tables: [{ name: 'counters' }, { name: 'entries' }, TIMERS_TABLE],
  apply,
};

/** Every row as text, in one order. */
export async function dump(db: Database): Promise<Readonly<Record<string, readonly string[]>>> {
  const tables = counterRows.tables.map(async ({ name }) => {
    const rows = await db.rows<{ row: string }>(
      `SELECT one::text AS row FROM ${name} one ORDER BY one::text COLLATE "C"`,
    );
    return [name, rows.map(({ row }) => row)] as const;
  });
  return Object.fromEntries(await Promise.all(tables));
}

/** Everything that belongs to the tables, by what the catalogue says of it. */
export async function belongings(db: Database): Promise<readonly string[]> {
  const rows = await db.rows<{ line: string }>(`
    SELECT format('%s %s %s', r.relname, pg_get_userbyid(r.relowner), r.relacl) AS line
      FROM pg_class r WHERE r.relnamespace = 'public'::regnamespace AND r.relkind IN ('r', 'S')
    UNION ALL
    SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT format('%s.%s %s %s %s %s %s', a.attrelid::regclass, a.attname, a.atttypid::regtype,
                  a.attnotnull, a.attidentity, a.attacl, pg_get_expr(d.adbin, d.adrelid))
      FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE r.relnamespace = 'public'::regnamespace AND r.relkind = 'r' AND a.attnum > 0
    UNION ALL
    SELECT format('schema %s', nspname) FROM pg_namespace WHERE nspname !~ '^pg_'
    ORDER BY line`);
  return rows.map(({ line }) => line);
}

export function timerEvent(timerId: string, dueAt: string, generation = 1): NewEvent {
  const data = { timerId, dueAt, purpose: 'bake over', generation };
  return { ...newEvent(data), type: 'TimerScheduled' };
}

/** Appends to the end of a stream of one writer. */
export async function appendTo(
  store: EventStore,
  stream: string,
  events: readonly NewEvent[],
): Promise<void> {
  const [last] = await store.read(stream, { direction: 'backwards', maxCount: 1 });
  await store.append(stream, last?.revision ?? 'no-stream', events);
}
