import type { Page } from '@patchtrail/platform';
import type { Sql } from '@patchtrail/postgres';

export type RolloutRow = Readonly<{
  number: string;
  rolloutId: string;
  requestId: string;
  changeDigest: string;
  planName: string;
  status: string;
  epoch: number;
  ring: string | null;
  revision: number;
  createdAt: string;
  changedAt: string;
}>;

export type RefusedReportRow = Readonly<{
  number: string;
  endpointId: string;
  attemptId: string;
  kind: string;
  code: string;
  detail: string;
  reportDigest: string;
  times: number;
  firstAt: string;
  lastAt: string;
}>;

export type Lists = Readonly<{
  /** Newest first. */
  rollouts: (filter: { requestId: string | null }, page: Page) => Promise<readonly RolloutRow[]>;
  refusedReports: (page: Page) => Promise<readonly RefusedReportRow[]>;
}>;

export function listsIn(db: Sql): Lists {
  return {
    rollouts: ({ requestId }, { limit, after }) =>
      db.rows<RolloutRow>(ROLLOUTS, [requestId, after, limit + 1]),
    refusedReports: ({ limit, after }) =>
      db.rows<RefusedReportRow>(REFUSED_REPORTS, [after, limit + 1]),
  };
}

const utc = (column: string) =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

const ROLLOUTS = `
  SELECT number::text, rollout_id AS "rolloutId", request_id AS "requestId",
         change_digest AS "changeDigest", plan_name AS "planName", status, epoch, ring, revision,
         ${utc('created_at')} AS "createdAt", ${utc('changed_at')} AS "changedAt"
    FROM rollouts
   WHERE ($1::uuid IS NULL OR request_id = $1::uuid) AND ($2::bigint IS NULL OR number < $2::bigint)
   ORDER BY rollouts.number DESC LIMIT $3`;

const REFUSED_REPORTS = `
  SELECT number::text, endpoint_id AS "endpointId", attempt_id AS "attemptId", kind, code, detail,
         report_digest AS "reportDigest", times, ${utc('first_at')} AS "firstAt",
         ${utc('last_at')} AS "lastAt"
    FROM refused_reports WHERE ($1::bigint IS NULL OR number < $1::bigint)
   ORDER BY refused_reports.number DESC LIMIT $2`;
