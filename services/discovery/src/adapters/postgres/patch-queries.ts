import type { Patch } from '@patchtrail/contracts';
import type { Page } from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';

type PatchView = Patch &
  Readonly<{
    status: 'available' | 'superseded' | 'withdrawn';
    supersededBy: string | null;
    withdrawnAt: string | null;
    /** Endpoints by state. */
    endpoints: Readonly<Record<string, number>>;
  }>;

type Row = Readonly<{
  content: Patch;
  superseded_by: string | null;
  withdrawn_at: Date | null;
  endpoints: Record<string, number> | null;
}>;

const SELECT = `
  SELECT p.content, p.superseded_by, p.withdrawn_at,
         (SELECT json_object_agg(state, n) FROM (
            SELECT state, count(*)::int AS n FROM applicability a
             WHERE a.patch_id = p.patch_id GROUP BY state) c) AS endpoints
    FROM patches p`;

function viewOf(row: Row): PatchView {
  const { content, superseded_by: supersededBy, endpoints } = row;
  const withdrawnAt = row.withdrawn_at?.toISOString() ?? null;
  const offered = supersededBy === null ? 'available' : 'superseded';
  const status = withdrawnAt === null ? offered : 'withdrawn';
  return { ...content, status, supersededBy, withdrawnAt, endpoints: endpoints ?? {} };
}

export type PatchFilter = Readonly<{ sourcePackage: string | null; superseded: boolean | null }>;

export async function listPatches(
  db: Database,
  { sourcePackage, superseded }: PatchFilter,
  { limit, after }: Page,
): Promise<readonly PatchView[]> {
  const rows = await db.rows<Row>(
    `${SELECT}
      WHERE ($1::text IS NULL OR p.source_package = $1)
        AND ($2::boolean IS NULL OR (p.superseded_by IS NOT NULL) = $2)
        AND ($3::uuid IS NULL OR p.patch_id > $3)
      ORDER BY p.patch_id LIMIT $4`,
    [sourcePackage, superseded, after, limit + 1],
  );
  return rows.map(viewOf);
}

export async function findPatch(db: Database, patchId: string): Promise<PatchView | null> {
  const [row] = await db.rows<Row>(`${SELECT} WHERE p.patch_id = $1`, [patchId]);
  return row === undefined ? null : viewOf(row);
}
