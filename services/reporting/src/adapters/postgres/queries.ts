import type { Sql } from '@patchtrail/postgres';
import type {
  ComplianceEntry,
  ComplianceFilter,
  FailureTicket,
  Page,
  PageOf,
  ReportQueries,
  TrailEntry,
} from '../../application/ports.js';
import type { ComplianceRow } from '../../domain/compliance.js';

/** Answers from the tables that the consumers keep. */
export function reportQueries(db: Sql): ReportQueries {
  const trail = (sql: string) => async (id: string, page: Page) =>
    pageOf(await db.rows<TrailEntry>(sql, [id, page.after, page.size + 1]), page, (r) => r.number);
  return {
    complianceCounts: (filter) => db.rows<ComplianceRow>(COUNTS, scope(filter)),
    complianceEntries: async (filter, page) => {
      // Pairs have no number of their own: the offset within one fixed order is the cursor.
      const values = [...scope(filter), page.after, page.size + 1];
      const rows = await db.rows<ComplianceEntry>(ENTRIES, values);
      const more = rows.length > page.size;
      return { rows: rows.slice(0, page.size), next: more ? page.after + page.size : null };
    },
    patchTrail: trail(trailOf('event_patches', 'patch_id')),
    rolloutTimeline: trail(trailOf('event_rollouts', 'rollout_id')),
    failureTickets: async (rolloutId, page) => {
      const rows = await db.rows<FailureTicket>(TICKETS, [rolloutId, page.after, page.size + 1]);
      return pageOf(rows, page, (row) => row.number);
    },
    position: async () => {
      const sql = 'SELECT coalesce(max(number), 0)::int AS position FROM events';
      const [row] = await db.rows<{ position: number }>(sql);
      return row?.position ?? 0;
    },
  };
}

function scope({ department, patchId }: ComplianceFilter): (string | null)[] {
  return [department ?? null, patchId ?? null];
}

function pageOf<T>(rows: readonly T[], { size }: Page, cursor: (row: T) => number): PageOf<T> {
  const shown = rows.slice(0, size);
  const last = shown.at(-1);
  return { rows: shown, next: rows.length > size && last !== undefined ? cursor(last) : null };
}

const ISO = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;
const iso = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', ${ISO})`;

const SCOPE = `
    FROM applicability a
    JOIN endpoints e USING (endpoint_id)
    JOIN patches p USING (patch_id)
   WHERE NOT e.retired AND p.status = 'available'
     AND ($1::text IS NULL OR e.attributes ->> 'department' = $1)
     AND ($2::uuid IS NULL OR a.patch_id = $2)`;

const COUNTS = `SELECT a.state, count(*)::int AS count ${SCOPE} GROUP BY a.state ORDER BY a.state`;

const ENTRIES = `
  SELECT a.endpoint_id AS "endpointId", e.attributes ->> 'hostname' AS hostname,
         e.attributes ->> 'department' AS department, a.patch_id AS "patchId",
         p.vendor_key AS "vendorKey", a.state, a.reason,
         a.installed_version AS "installedVersion", ${iso('a.since')} AS since
  ${SCOPE}
   ORDER BY a.endpoint_id, a.patch_id OFFSET $3 LIMIT $4`;

/** Topics arrive in no common order, so a trail is ordered by when its events became durable. */
const trailOf = (links: string, key: string) => `
  SELECT v.number::int AS number, v.event_id AS "eventId", v.type, v.subject,
         ${iso('v.time')} AS time, ${iso('v.recorded_time')} AS "recordedTime", v.actor,
         v.correlation_id AS "correlationId", v.causation_id AS "causationId", v.data
    FROM ${links} l JOIN events v USING (number)
   WHERE l.${key} = $1
     AND ($2::bigint = 0 OR (v.recorded_time, v.number) >
          (SELECT a.recorded_time, a.number FROM events a WHERE a.number = $2))
   ORDER BY v.recorded_time, v.number LIMIT $3`;

const TICKETS = `
  SELECT number::int AS number, ${iso('raised_at')} AS "raisedAt", ticket
    FROM failure_tickets
   WHERE ($1::uuid IS NULL OR rollout_id = $1) AND number > $2
   ORDER BY number LIMIT $3`;
