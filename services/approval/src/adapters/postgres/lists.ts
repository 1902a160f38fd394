import type { Sql } from '@patchtrail/postgres';

export type RequestRow = Readonly<{
  requestId: string;
  status: string;
  revision: number;
  requestedBy: string;
  requestedAt: string;
  category: string;
  dueAt: string | null;
  expiresAt: string;
  closedAt: string | null;
  changeDigest: string;
  patchIds: readonly string[];
  planName: string;
  endpointCount: number;
  rule: string;
  reason: string;
  stageCount: number;
  stagesPassed: number;
}>;
export type TemplateRow = Readonly<{
  templateId: string;
  revision: number;
  name: string;
  rings: readonly string[];
  changedBy: string;
  changedAt: string;
}>;
export type PolicyRow = Readonly<{
  policyId: string;
  revision: number;
  name: string;
  proposedBy: string;
  proposedAt: string;
  activatedBy: string | null;
  activatedAt: string | null;
  active: boolean;
}>;

type Page = Readonly<{ limit: number; after: string | null }>;
export type RequestFilter = Readonly<{ status: string | null; patchId: string | null }>;

/** One row more than the page holds tells whether another follows. */
export type Lists = Readonly<{
  /** Newest first; the cursor is `<requestedAt>|<requestId>`. */
  requests: (filter: RequestFilter, page: Page) => Promise<readonly RequestRow[]>;
  templates: (page: Page) => Promise<readonly TemplateRow[]>;
  policies: (page: Page) => Promise<readonly PolicyRow[]>;
  activePolicy: () => Promise<string | null>;
}>;

export const requestCursor = ({ requestedAt, requestId }: RequestRow) =>
  `${requestedAt}|${requestId}`;

export function listsIn(db: Sql): Lists {
  return {
    requests: ({ status, patchId }, { limit, after }) => {
      const [requestedAt = null, requestId = null] = after?.split('|') ?? [];
      return db.rows<RequestRow>(REQUESTS, [status, patchId, requestedAt, requestId, limit + 1]);
    },
    templates: ({ limit, after }) => db.rows<TemplateRow>(TEMPLATES, [after, limit + 1]),
    policies: ({ limit, after }) => db.rows<PolicyRow>(POLICIES, [after, limit + 1]),
    activePolicy: async () => {
      const sql = 'SELECT policy_id AS "policyId" FROM active_policy';
      const [row] = await db.rows<{ policyId: string }>(sql);
      return row?.policyId ?? null;
    },
  };
}

const REQUESTS = `
  SELECT request_id AS "requestId", status, revision, requested_by AS "requestedBy",
         requested_at AS "requestedAt", category, due_at AS "dueAt", expires_at AS "expiresAt",
         closed_at AS "closedAt", change_digest AS "changeDigest",
         patch_ids::text[] AS "patchIds", plan_name AS "planName",
         endpoint_count AS "endpointCount", rule, reason, stage_count AS "stageCount",
         stages_passed AS "stagesPassed"
    FROM approval_requests
   WHERE ($1::text IS NULL OR status = $1)
     AND ($2::uuid IS NULL OR $2::uuid = ANY(patch_ids))
     AND ($3::text IS NULL OR (requested_at, request_id) < ($3::text, $4::uuid))
   ORDER BY requested_at DESC, request_id DESC
   LIMIT $5`;

const TEMPLATES = `
  SELECT template_id AS "templateId", revision, name, rings, changed_by AS "changedBy",
         changed_at AS "changedAt"
    FROM plan_templates
   WHERE $1::uuid IS NULL OR template_id > $1::uuid
   ORDER BY template_id
   LIMIT $2`;

const POLICIES = `
  SELECT policy_id AS "policyId", revision, name, proposed_by AS "proposedBy",
         proposed_at AS "proposedAt", activated_by AS "activatedBy",
         activated_at AS "activatedAt",
         policy_id = (SELECT active.policy_id FROM active_policy active) IS TRUE AS active
    FROM approval_policies
   WHERE $1::uuid IS NULL OR policy_id > $1::uuid
   ORDER BY policy_id
   LIMIT $2`;
