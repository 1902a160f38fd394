import type { Category, PriorityDecision } from '@patchtrail/contracts';
import type { Sql } from '@patchtrail/postgres';

export type DecisionFilter = Readonly<{ patchId: string | null; category: Category | null }>;
export type DecisionRow = Readonly<{ number: string; decision: PriorityDecision }>;

/**
 * Decisions about the current revision of offered patches, in the contexts of endpoints that they
 * apply to now; one row more than `limit` at most.
 */
export function listDecisions(
  db: Sql,
  { patchId, category }: DecisionFilter,
  page: Readonly<{ after: string | null; limit: number }>,
): Promise<DecisionRow[]> {
  return db.rows<DecisionRow>(
    `SELECT d.number::text AS number, d.decision
       FROM decisions d JOIN patches p USING (patch_id)
      WHERE p.status = 'available' AND d.patch_revision = (p.patch ->> 'revision')::int
        AND ($1::uuid IS NULL OR d.patch_id = $1)
        AND ($2::text IS NULL OR d.category = $2)
        AND d.number > $3::bigint
        AND EXISTS (SELECT FROM applicability a JOIN endpoints e USING (endpoint_id)
                     WHERE a.patch_id = d.patch_id AND NOT e.retired
                       AND e.exposure = d.decision ->> 'exposure'
                       AND e.business_impact = d.decision ->> 'businessImpact')
      ORDER BY d.number LIMIT $4`,
    [patchId, category, page.after ?? '0', page.limit + 1],
  );
}

export async function findDecision(db: Sql, id: string): Promise<PriorityDecision | null> {
  const sql = 'SELECT decision FROM decisions WHERE decision_id = $1';
  const [row] = await db.rows<{ decision: PriorityDecision }>(sql, [id]);
  return row?.decision ?? null;
}

/** Grows with every decision made or changed; `null` before the first. */
export async function position(db: Sql): Promise<string | null> {
  const [row] = await db.rows<{ position: string | null }>(
    'SELECT max(change)::text AS position FROM decisions',
  );
  return row?.position ?? null;
}
