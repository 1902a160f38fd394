import type { Sql } from '@patchtrail/postgres';
import type { StateCount } from '../../domain/compliance.js';

export type ComplianceFilter = Readonly<{
  /** Those that the caller may see, `null` for all. */
  departments: readonly string[] | null;
  department: string | null;
  patchId: string | null;
}>;
/** Answers hold one row more than `limit` at most. */
export type Window = Readonly<{ after: string | null; limit: number }>;

export type ComplianceEntry = Readonly<{
  endpointId: string;
  hostname: string;
  department: string;
  patchId: string;
  vendorKey: string;
  state: string;
  reason: string;
  installedVersion: string | null;
  since: string;
}>;

export type TrailEntry = Readonly<{
  /** Position in reporting's own order of arrival. */
  number: string;
  eventId: string;
  type: string;
  subject: string;
  time: string;
  recordedTime: string;
  actor: string;
  correlationId: string;
  causationId: string;
  data: unknown;
}>;

export type FailureTicket = Readonly<{ number: string; raisedAt: string; ticket: unknown }>;

export function complianceCounts(db: Sql, filter: ComplianceFilter): Promise<StateCount[]> {
  const sql = `SELECT a.state, count(*)::int AS count ${SCOPE} GROUP BY a.state ORDER BY a.state`;
  return db.rows<StateCount>(sql, scopeOf(filter));
}

export const entryKey = ({ endpointId, patchId }: ComplianceEntry) => `${endpointId}/${patchId}`;

export function complianceEntries(
  db: Sql,
  filter: ComplianceFilter,
  { after, limit }: Window,
): Promise<ComplianceEntry[]> {
  const [endpointId, patchId] = after?.split('/') ?? [null, null];
  const start = [endpointId, patchId ?? null, limit + 1];
  return db.rows<ComplianceEntry>(ENTRIES, [...scopeOf(filter), ...start]);
}

/** Every event about a patch, in the order in which they became durable. */
export function patchTrail(db: Sql, patchId: string, page: Window): Promise<TrailEntry[]> {
  return trail(db, 'event_patches', 'patch_id', patchId, page);
}

/** Every event about a rollout, in the order in which they became durable. */
export function rolloutTimeline(db: Sql, rolloutId: string, page: Window): Promise<TrailEntry[]> {
  return trail(db, 'event_rollouts', 'rollout_id', rolloutId, page);
}

/** Topics arrive in no common order; the recorded time gives one. */
function trail(
  db: Sql,
  links: 'event_patches' | 'event_rollouts',
  key: 'patch_id' | 'rollout_id',
  id: string,
  { after, limit }: Window,
): Promise<TrailEntry[]> {
  return db.rows<TrailEntry>(
    `SELECT v.number::text AS number, v.event_id AS "eventId", v.type, v.subject,
            ${iso('v.time')} AS time, ${iso('v.recorded_time')} AS "recordedTime", v.actor,
            v.correlation_id AS "correlationId", v.causation_id AS "causationId", v.data
       FROM ${links} l JOIN events v USING (number)
      WHERE l.${key} = $1
        AND ($2::bigint IS NULL OR (v.recorded_time, v.number) >
             (SELECT a.recorded_time, a.number FROM events a WHERE a.number = $2))
      ORDER BY v.recorded_time, v.number LIMIT $3`,
    [id, after, limit + 1],
  );
}

export function failureTickets(
  db: Sql,
  rolloutId: string | null,
  { after, limit }: Window,
): Promise<FailureTicket[]> {
  return db.rows<FailureTicket>(
    `SELECT number::text AS number, ${iso('raised_at')} AS "raisedAt", ticket
       FROM failure_tickets
      WHERE ($1::uuid IS NULL OR rollout_id = $1) AND number > $2::bigint
      ORDER BY failure_tickets.number LIMIT $3`,
    [rolloutId, after ?? '0', limit + 1],
  );
}

/** Number of the newest event that the answers include; `null` while there is none. */
export async function position(db: Sql): Promise<string | null> {
  const [row] = await db.rows<{ position: string | null }>(
    'SELECT max(number)::text AS position FROM events',
  );
  return row?.position ?? null;
}

function iso(column: string): string {
  return `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

const SCOPE = `
    FROM applicability a
    JOIN endpoints e USING (endpoint_id)
    JOIN patches p USING (patch_id)
   WHERE NOT e.retired AND p.status = 'available'
     AND ($1::text IS NULL OR e.attributes ->> 'department' = $1)
     AND ($2::uuid IS NULL OR a.patch_id = $2)
     AND ($3::text[] IS NULL OR e.attributes ->> 'department' = ANY($3))`;

function scopeOf({ department, patchId, departments }: ComplianceFilter): readonly unknown[] {
  return [department, patchId, departments];
}

const ENTRIES = `
  SELECT a.endpoint_id AS "endpointId", e.attributes ->> 'hostname' AS hostname,
         e.attributes ->> 'department' AS department, a.patch_id AS "patchId",
         p.vendor_key AS "vendorKey", a.state, a.reason,
         a.installed_version AS "installedVersion", ${iso('a.since')} AS since
  ${SCOPE}
     AND ($4::uuid IS NULL OR (a.endpoint_id, a.patch_id) > ($4, $5::uuid))
   ORDER BY a.endpoint_id, a.patch_id LIMIT $6`;
