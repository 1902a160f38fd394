import {
  type CloudEvent,
  type Patch,
  prioritization,
  type PriorityDecision,
} from '@patchtrail/contracts';
import { enqueue } from '@patchtrail/messaging';
import type { Sql } from '@patchtrail/postgres';
import { v5 } from 'uuid';
import type { DecisionStore } from '../../application/ports.js';
import type { AssetContext } from '../../domain/prioritize.js';

const EVENT_NAMESPACE = '0b7a3a1e-6a53-5d0f-8a3b-0d6d6f0f5c2e';

const PATCH_LOCKS = 64;

const CATALOGUE_LOCK = `hashtextextended('decisions/catalogue', 0)`;

/**
 * Of two transactions that touch the same decision, the second waits here and then sees what the
 * first has written, so that one of them decides from both. Before any row of a patch is written,
 * with all patches of the transaction at once: then nobody waits in a circle.
 */
export async function lockPatches(tx: Sql, patchIds: readonly string[]): Promise<void> {
  await tx.rows(`SELECT pg_advisory_xact_lock_shared(${CATALOGUE_LOCK})`);
  // Few locks, however many patches a first inventory speaks of: their number is limited.
  await tx.rows(
    `SELECT pg_advisory_xact_lock(hashtextextended('decisions/patch/' || l.lock, 0))
       FROM (SELECT DISTINCT mod(hashtext(id)::bigint + 2147483648, $2) AS lock
               FROM unnest($1::text[]) u(id) ORDER BY lock) l`,
    [patchIds, PATCH_LOCKS],
  );
}

/** Waits for every decision that is being made, and lets none be made until the transaction ends. */
export async function lockCatalogue(tx: Sql): Promise<void> {
  await tx.rows(`SELECT pg_advisory_xact_lock(${CATALOGUE_LOCK})`);
}

/** The rows of one transaction; events go to its outbox, caused by the message in hand. */
export function decisionStore(tx: Sql, cause: CloudEvent): DecisionStore {
  return {
    lockPatch: async (patchId) => {
      const sql =
        "SELECT patch FROM patches WHERE patch_id = $1 AND status = 'available' FOR UPDATE";
      const [row] = await tx.rows<{ patch: Patch }>(sql, [patchId]);
      return row?.patch ?? null;
    },
    contextsOf: (patchId, endpointId) => tx.rows<AssetContext>(CONTEXTS, [patchId, endpointId]),
    kevFor: async (cves) => {
      const [catalog] = await tx.rows<{ version: string; releasedAt: string }>(
        'SELECT version, released_at AS "releasedAt" FROM kev_catalog',
      );
      const listed = await tx.rows<{ cveId: string; dateAdded: string }>(
        `SELECT cve_id AS "cveId", date_added AS "dateAdded" FROM kev_entries
          WHERE cve_id = ANY($1::text[]) AND counts ORDER BY cve_id`,
        [cves],
      );
      return { catalog: catalog ?? null, listed };
    },
    decisionsOf: async (patchId) => {
      const sql = 'SELECT decision FROM decisions WHERE patch_id = $1';
      const rows = await tx.rows<{ decision: PriorityDecision }>(sql, [patchId]);
      return rows.map(({ decision }) => decision);
    },
    save: async (decision) => {
      await tx.run(SAVE, [
        decision.decisionId,
        decision.patchId,
        decision.patchRevision,
        decision.category,
        JSON.stringify(decision),
      ]);
    },
    publish: (kind, decision) =>
      enqueue(tx, prioritization[kind], originOf(decision, cause), decision),
  };
}

/** The id is derived, so that a message handled again can only repeat the same event. */
function originOf(decision: PriorityDecision, cause: CloudEvent) {
  return {
    id: v5(`${cause.id}|${decision.decisionId}`, EVENT_NAMESPACE),
    subject: `patch/${decision.patchId}`,
    key: decision.patchId,
    time: decision.decidedAt,
    correlationId: cause.correlationid,
    causationId: cause.id,
    traceparent: cause.traceparent,
    actor: 'service:prioritization',
  };
}

const CONTEXTS = `
  SELECT DISTINCT e.exposure, e.business_impact AS "businessImpact"
    FROM applicability a JOIN endpoints e USING (endpoint_id)
   WHERE a.patch_id = $1 AND ($2::uuid IS NULL OR a.endpoint_id = $2) AND NOT e.retired
   ORDER BY 1, 2`;

const SAVE = `
  INSERT INTO decisions (decision_id, patch_id, patch_revision, category, decision)
  VALUES ($1, $2, $3, $4, $5::jsonb)
  ON CONFLICT (decision_id) DO UPDATE 
    SET category = excluded.category, decision = excluded.decision,
        change = nextval('decision_changes')`;
