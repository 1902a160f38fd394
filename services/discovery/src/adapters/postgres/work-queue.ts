import type { Sql } from '@patchtrail/postgres';
import { currentTraceparent } from '@patchtrail/telemetry';
import type { WorkItem, WorkKind, WorkQueue } from '../../application/ports.js';

/** After so many failures an item stays, with its cause, and is not tried again. */
const ATTEMPTS_MAX = 10;
const BACKOFF_SECONDS_MAX = 300;
/** The latest are kept: an endpoint may be asked about for many patches before its turn comes. */
const ASKERS_MAX = 32;

const ASKED_AGAIN = `ON CONFLICT (kind, endpoint_id) DO UPDATE SET
  generation = nextval('discovery_work_generation'), attempts = 0, not_before = NULL, cause = NULL,
  asked_by = (discovery_work.asked_by || excluded.asked_by)[greatest(1,
    cardinality(discovery_work.asked_by) + cardinality(excluded.asked_by) - ${ASKERS_MAX - 1}):]`;

export function workQueue(sql: Sql): WorkQueue {
  return {
    add: async (kind, endpointId) => {
      await sql.run(
        `INSERT INTO discovery_work (kind, endpoint_id, asked_by)
         VALUES ($1, $2, $3) ${ASKED_AGAIN}`,
        [kind, endpointId, asker()],
      );
    },
    addForSource: (sourceId, only) => addForSource(sql, sourceId, only),
    addForPackages: async (sourcePackages) => {
      await sql.run(
        `INSERT INTO discovery_work (kind, endpoint_id, asked_by)
         SELECT 'applicability', endpoint_id, $2::text[] FROM endpoints e
          WHERE lifecycle = 'active'
            AND EXISTS (SELECT FROM installed_packages i
                         WHERE i.endpoint_id = e.endpoint_id AND i.source_name = ANY($1::text[]))
          ORDER BY endpoint_id ${ASKED_AGAIN}`,
        [sourcePackages, asker()],
      );
    },
    next: async (kind: WorkKind, limit: number, now: string) => {
      const rows = await sql.rows<Omit<WorkItem, 'kind'>>(
        `SELECT endpoint_id AS "endpointId", generation::text AS generation, asked_by AS "askedBy"
           FROM discovery_work
          WHERE kind = $1 AND attempts < $2 AND (not_before IS NULL OR not_before <= $4)
          ORDER BY discovery_work.generation LIMIT $3`,
        [kind, ATTEMPTS_MAX, limit, now],
      );
      return rows.map((row) => ({ kind, ...row }));
    },
    done: async (items) => {
      await lockInOrder(sql, items);
      await sql.run(`DELETE FROM discovery_work w ${MATCHING}`, columns(items));
    },
    failed: async (items, cause, now) => {
      await lockInOrder(sql, items);
      await sql.run(
        `UPDATE discovery_work w
            SET attempts = attempts + 1, cause = $4,
                not_before = $5::timestamptz
                  + make_interval(secs => least(${BACKOFF_SECONDS_MAX}, 2 ^ attempts))
           ${MATCHING.replace('USING', 'FROM')}`,
        [...columns(items), cause.slice(0, 1_000), now],
      );
    },
  };
}

/** In the one order of endpoints in which work is queued everywhere. */
async function lockInOrder(sql: Sql, items: readonly WorkItem[]): Promise<void> {
  await sql.rows(
    `SELECT FROM discovery_work w ${MATCHING.replace('USING', ',')}
      ORDER BY w.endpoint_id FOR UPDATE OF w`,
    columns(items),
  );
}

/** Of the span around this code; none where tracing is off. */
function asker(): readonly string[] {
  const traceparent = currentTraceparent();
  return traceparent === null ? [] : [traceparent];
}

const MATCHING = `
  USING unnest($1::text[], $2::uuid[], $3::bigint[]) AS t(kind, endpoint_id, generation)
  WHERE w.kind = t.kind AND w.endpoint_id = t.endpoint_id AND w.generation = t.generation`;

function columns(items: readonly WorkItem[]): unknown[] {
  return [
    items.map(({ kind }) => kind),
    items.map(({ endpointId }) => endpointId),
    items.map(({ generation }) => generation),
  ];
}

/** In one order of endpoints everywhere, so that two of these never wait for each other. */
async function addForSource(
  sql: Sql,
  sourceId: string,
  only: 'all' | 'while-changelogs-are-unread',
): Promise<void> {
  const unread =
    only === 'all'
      ? ''
      : `AND EXISTS (SELECT FROM patches p
                      WHERE p.superseded_by IS NULL AND p.withdrawn_at IS NULL
                        AND p.content->>'sourceId' = $1::text
                        AND p.content->'changelog'->>'status' = 'unavailable')`;
  await sql.run(
    `INSERT INTO discovery_work (kind, endpoint_id, asked_by)
     SELECT DISTINCT 'candidates', e.endpoint_id, $2::text[]
       FROM package_sources s
       JOIN endpoint_sources es ON es.uri = s.uri AND es.suite = s.suite
       JOIN endpoints e ON e.endpoint_id = es.endpoint_id AND e.lifecycle = 'active'
      WHERE s.source_id = $1::text::uuid ${unread}
      ORDER BY e.endpoint_id ${ASKED_AGAIN}`,
    [sourceId, asker()],
  );
}

/** Items that failed too often and wait for a new inventory or index, or for somebody to look. */
export async function stuckWork(sql: Sql): Promise<number> {
  const [row] = await sql.rows<{ stuck: number }>(
    'SELECT count(*)::int AS stuck FROM discovery_work WHERE attempts >= $1',
    [ATTEMPTS_MAX],
  );
  return row?.stuck ?? 0;
}
