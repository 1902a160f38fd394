import type { Sql } from '@patchtrail/postgres';
import type { ArchiveLines, PatchStore, UnlistedPatch } from '../../application/ports.js';
import type { Candidate } from '../../domain/patch.js';

const SUPERSEDER_IS_WITHDRAWN = `EXISTS (SELECT FROM patches s
  WHERE s.patch_id = p.superseded_by AND s.withdrawn_at IS NOT NULL)`;

/** Of patches `p` that an archive's carrying them offers again. */
export const RETURNING = `(p.withdrawn_at IS NOT NULL OR ${SUPERSEDER_IS_WITHDRAWN})`;

/** Versions of the source package of `p` in the archives ($1) that are of its vendor ($2) and release ($3). */
const ON_OFFER = `SELECT DISTINCT x.source_version
  FROM unnest($1::uuid[], $2::text[], $3::text[]) AS a(source_id, vendor, release)
  JOIN index_packages x USING (source_id)
 WHERE x.source_package = p.source_package AND a.vendor = p.vendor AND a.release = p.release`;

const KEY = `p.vendor, p.release, p.source_package AS "sourcePackage",
  p.source_version AS "sourceVersion"`;

/** Patches that archives dropped, and patches that came back. */
export function lapsedPatches(
  sql: Sql,
): Pick<PatchStore, 'unlisted' | 'returned' | 'withdraw' | 'offerAgain'> {
  return {
    unlisted: (archives) =>
      sql.rows<UnlistedPatch>(
        `SELECT p.patch_id AS "patchId", ${KEY}, ARRAY(${ON_OFFER}) AS "onOffer"
           FROM patches p
          WHERE p.withdrawn_at IS NULL
            AND (p.superseded_by IS NULL OR ${SUPERSEDER_IS_WITHDRAWN})
            AND p.source_version NOT IN (${ON_OFFER})
          ORDER BY p.patch_id`,
        columns(archives),
      ),
    returned: (archives) =>
      sql.rows<Candidate>(
        `SELECT ${KEY}, p.content->>'fromVersion' AS "fromVersion"
           FROM patches p
          WHERE ${RETURNING} AND p.source_version IN (${ON_OFFER})
          ORDER BY p.patch_id`,
        columns(archives),
      ),
    withdraw: async (patchIds, at) => {
      const rows = await sql.rows<{ id: string }>(
        `UPDATE patches SET withdrawn_at = $2
          WHERE patch_id = ANY($1::uuid[]) AND withdrawn_at IS NULL RETURNING patch_id AS id`,
        [patchIds, at],
      );
      return new Set(rows.map(({ id }) => id));
    },
    offerAgain: async (patchId) => {
      await sql.run(
        'UPDATE patches SET withdrawn_at = NULL, superseded_by = NULL WHERE patch_id = $1',
        [patchId],
      );
    },
  };
}

function columns(archives: ArchiveLines): unknown[] {
  return [
    archives.map(({ sourceId }) => sourceId),
    archives.map(({ vendor }) => vendor),
    archives.map(({ release }) => release),
  ];
}
