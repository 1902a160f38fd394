import type { EndpointAttributes, Selector } from '@patchtrail/contracts';
import type { Sql } from '@patchtrail/postgres';
import type { Fleet, KnownDecision, KnownPatch, TouchedEndpoint } from '../../application/ports.js';

const PAGE_SIZE = 1_000;

export function fleetIn(db: Sql): Fleet {
  return {
    patches: (patchIds) => db.rows<KnownPatch>(PATCHES, [patchIds]),
    decisions: (patchIds) => db.rows<KnownDecision>(DECISIONS, [patchIds]),
    touched: (patchIds) => touchedIn(db, patchIds),
    groups: async () => {
      const rows = await db.rows<{ groupId: string; selector: Selector }>(
        'SELECT group_id AS "groupId", selector FROM device_groups',
      );
      return new Map(rows.map(({ groupId, selector }) => [groupId, selector]));
    },
  };
}

async function* touchedIn(
  db: Sql,
  patchIds: readonly string[],
): AsyncGenerator<TouchedEndpoint, void, undefined> {
  for (let after: string | null = null; ;) {
    const page: Row[] = await db.rows<Row>(TOUCHED, [patchIds, after, PAGE_SIZE]);
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_SIZE) return;
    after = last.endpointId;
  }
}

type Row = { endpointId: string; attributes: EndpointAttributes; patchIds: string[] };

const PATCHES = `
  SELECT patch_id AS "patchId", revision, content_digest AS "contentDigest", status, vendor,
         source_package AS "sourcePackage", suite, security_origin AS "securityOrigin",
         cve_count AS "cveCount"
    FROM patches WHERE patch_id = ANY($1::uuid[])`;

const DECISIONS = `
  SELECT decision_id AS "decisionId", patch_id AS "patchId", patch_revision AS "patchRevision",
         exposure, business_impact AS "businessImpact", category, provisional, due_at AS "dueAt"
    FROM decisions WHERE patch_id = ANY($1::uuid[])
   ORDER BY patch_id, exposure, business_impact`;

const TOUCHED = `
  SELECT m.endpoint_id AS "endpointId", e.attributes,
         array_agg(m.patch_id::text ORDER BY m.patch_id) AS "patchIds"
    FROM missing_patches m JOIN endpoints e USING (endpoint_id)
   WHERE m.patch_id = ANY($1::uuid[]) AND NOT e.retired
     AND ($2::uuid IS NULL OR m.endpoint_id > $2::uuid)
   GROUP BY m.endpoint_id, e.attributes
   ORDER BY m.endpoint_id
   LIMIT $3`;
