import type { EndpointCredentials } from '@patchtrail/auth';
import type { Artifact, EndpointAttributes, Selector } from '@patchtrail/contracts';
import type { Sql } from '@patchtrail/postgres';
import type { CohortDraft } from '../../application/cohort.js';
import type { CohortDrafts, Fleet, LeasedPatch } from '../../application/ports.js';
import type { PatchRef } from '../../domain/plan.js';

const PAGE_SIZE = 5_000;

export function fleetIn(db: Sql): Fleet {
  return {
    groups: async () => {
      const rows = await db.rows<{ groupId: string; selector: Selector }>(
        'SELECT group_id AS "groupId", selector FROM device_groups',
      );
      return new Map(rows.map(({ groupId, selector }) => [groupId, selector]));
    },
    needing: async (patchIds) => {
      const all: NeedingRow[] = [];
      for (let after: string | null = null; ;) {
        const page: NeedingRow[] = await db.rows<NeedingRow>(NEEDING, [patchIds, after, PAGE_SIZE]);
        all.push(...page);
        const last = page.at(-1);
        if (last === undefined || page.length < PAGE_SIZE) return all;
        after = last.endpointId;
      }
    },
  };
}

type NeedingRow = { endpointId: string; attributes: EndpointAttributes };

const NEEDING = `
  SELECT e.endpoint_id AS "endpointId", e.attributes FROM endpoints e
   WHERE NOT e.retired AND ($2::uuid IS NULL OR e.endpoint_id > $2::uuid)
     AND EXISTS (SELECT 1 FROM needed_patches n
                  WHERE n.endpoint_id = e.endpoint_id AND n.patch_id = ANY($1::uuid[]))
   ORDER BY e.endpoint_id LIMIT $3`;

type PatchRow = PatchRef & { sourcePackage: string; sourceVersion: string; artifacts: Artifact[] };

/** The patches as they were approved; `null` if one of them is not known like that. */
export async function approvedPatches(
  db: Sql,
  refs: readonly PatchRef[],
): Promise<readonly LeasedPatch[] | null> {
  const rows = await db.rows<PatchRow>(PATCHES, [refs.map(({ patchId }) => patchId)]);
  const found: LeasedPatch[] = [];
  for (const ref of refs) {
    const row = rows.find(({ patchId, revision, contentDigest }) => {
      const isApproved = revision === ref.revision && contentDigest === ref.contentDigest;
      return patchId === ref.patchId && isApproved;
    });
    if (row === undefined) return null;
    const { patchId, sourcePackage, sourceVersion, artifacts } = row;
    found.push({ patchId, sourcePackage, sourceVersion, artifacts });
  }
  return found;
}

const PATCHES = `
  SELECT patch_id AS "patchId", revision, content_digest AS "contentDigest",
         source_package AS "sourcePackage", source_version AS "sourceVersion", artifacts
    FROM patches WHERE patch_id = ANY($1::uuid[])`;

export function credentialsIn(db: Sql): EndpointCredentials {
  return {
    digestOf: async (endpointId) => {
      const [row] = await db.rows<{ digest: string | null }>(
        `SELECT credential_digest AS digest FROM endpoints
          WHERE endpoint_id = $1 AND NOT retired`,
        [endpointId],
      );
      return row?.digest ?? null;
    },
  };
}

export function cohortDraftsIn(db: Sql): CohortDrafts {
  const find = async (rolloutId: string): Promise<CohortDraft | null> => {
    const [row] = await db.rows<{ draft: CohortDraft }>(
      'SELECT draft FROM cohort_drafts WHERE rollout_id = $1',
      [rolloutId],
    );
    return row?.draft ?? null;
  };
  return {
    find,
    drop: async (rolloutId) => {
      await db.run('DELETE FROM cohort_drafts WHERE rollout_id = $1', [rolloutId]);
    },
    keep: async (rolloutId, draft) => {
      await db.run(
        `INSERT INTO cohort_drafts (rollout_id, draft) VALUES ($1, $2::jsonb)
         ON CONFLICT DO NOTHING`,
        [rolloutId, JSON.stringify(draft)],
      );
      return (await find(rolloutId)) ?? draft;
    },
  };
}
