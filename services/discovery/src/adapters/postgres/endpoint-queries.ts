import type { Page } from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';
import type { Endpoint } from '../../application/ports.js';
import { checkApt } from '../../domain/apt-check.js';
import { ENDPOINT_COLUMNS, type EndpointRow, endpointOf } from './endpoint-store.js';
import { inventoryStore } from './inventory-store.js';

export type EndpointFilter = Readonly<{
  /** That the caller may see; `null` for all. */
  departments: readonly string[] | null;
  department: string | null;
  package: string | null;
  version: string | null;
}>;

export async function listEndpoints(
  db: Database,
  filter: EndpointFilter,
  { limit, after }: Page,
): Promise<readonly Endpoint[]> {
  const rows = await db.rows<EndpointRow>(
    `SELECT ${ENDPOINT_COLUMNS} FROM endpoints
      WHERE ($1::text[] IS NULL OR attributes->>'department' = ANY($1))
        AND ($2::text IS NULL OR attributes->>'department' = $2)
        AND ($3::text IS NULL OR endpoint_id IN (
              SELECT endpoint_id FROM installed_packages WHERE name = $3 AND version = $4))
        AND ($5::uuid IS NULL OR endpoint_id > $5)
      ORDER BY endpoint_id LIMIT $6`,
    [filter.departments, filter.department, filter.package, filter.version, after, limit + 1],
  );
  return rows.map(endpointOf);
}

type ApplicabilityRow = Readonly<{
  patchId: string;
  title: string;
  state: string;
  reason: string;
  installedVersion: string | null;
  packages: readonly string[];
  superseded: boolean;
  since: Date;
}>;

/** All that is known of one endpoint, and whether its apt and the indexes agree. */
export async function endpointDetails(db: Database, endpointId: string) {
  const [row] = await db.rows<EndpointRow>(
    `SELECT ${ENDPOINT_COLUMNS} FROM endpoints WHERE endpoint_id = $1`,
    [endpointId],
  );
  if (row === undefined) return null;
  return db.transaction(async (tx) => {
    const store = inventoryStore(tx);
    const inventory = await store.find(endpointId);
    const packages = await store.packages(endpointId);
    const applicability = await tx.rows<ApplicabilityRow>(
      `SELECT a.patch_id AS "patchId", p.content->>'title' AS title, a.state, a.reason, a.packages,
              a.installed_version AS "installedVersion", a.since,
              p.superseded_by IS NOT NULL AS superseded
         FROM applicability a JOIN patches p USING (patch_id)
        WHERE a.endpoint_id = $1 ORDER BY title, a.patch_id`,
      [endpointId],
    );
    if (inventory === null) {
      return { ...endpointOf(row), inventory: null, applicability, aptCheck: null };
    }
    const aptCheck = checkApt({
      installed: packages,
      pending: inventory.pendingUpgrades,
      holds: new Set(inventory.holds),
      offered: await store.offeredVersions(endpointId),
      aptProblem: inventory.aptProblem,
    });
    return { ...endpointOf(row), inventory: { ...inventory, packages }, applicability, aptCheck };
  });
}

/** Answers the access check of agents; a retired endpoint has no credential. */
export async function credentialDigestOf(db: Database, endpointId: string): Promise<string | null> {
  const [row] = await db.rows<{ digest: string }>(
    `SELECT credential_digest AS digest FROM endpoints
      WHERE endpoint_id = $1 AND lifecycle = 'active'`,
    [endpointId],
  );
  return row?.digest ?? null;
}
