import type { Page } from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';
import { isSecurityOrigin } from '../../domain/release.js';

type SourceView = Readonly<{
  sourceId: string;
  uri: string;
  suite: string;
  components: readonly string[];
  architectures: readonly string[];
  keyFingerprints: readonly string[];
  admittedAt: Date;
  origin: string | null;
  label: string | null;
  releaseSuite: string | null;
  codename: string | null;
  releaseDigest: string | null;
  releasedAt: Date | null;
  validUntil: Date | null;
  packageCount: number | null;
  syncedAt: Date | null;
  checkedAt: Date | null;
  failureCode: string | null;
  failureDetail: string | null;
  failedAt: Date | null;
}>;

const COLUMNS = `source_id AS "sourceId", uri, suite, components, architectures,
  key_fingerprints AS "keyFingerprints", admitted_at AS "admittedAt", origin, label,
  release_suite AS "releaseSuite", codename, release_digest AS "releaseDigest",
  released_at AS "releasedAt", valid_until AS "validUntil", package_count AS "packageCount",
  synced_at AS "syncedAt", checked_at AS "checkedAt", failure_code AS "failureCode",
  failure_detail AS "failureDetail", failed_at AS "failedAt"`;

/** The index in force, and what failed since it was last looked at. */
function viewOf(row: SourceView) {
  const { failureCode: code, failureDetail: detail, failedAt: at, ...rest } = row;
  const { label, releaseSuite, codename } = row;
  const known = label !== null && releaseSuite !== null && codename !== null;
  const securityOrigin = known ? isSecurityOrigin({ label, suite: releaseSuite, codename }) : null;
  return { ...rest, securityOrigin, failure: code === null ? null : { code, detail, at } };
}

export async function listSources(db: Database, { limit, after }: Page) {
  const rows = await db.rows<SourceView>(
    `SELECT ${COLUMNS} FROM package_sources WHERE $1::uuid IS NULL OR source_id > $1
      ORDER BY source_id LIMIT $2`,
    [after, limit + 1],
  );
  return rows.map(viewOf);
}

export async function findSource(db: Database, sourceId: string) {
  const [row] = await db.rows<SourceView>(
    `SELECT ${COLUMNS} FROM package_sources WHERE source_id = $1`,
    [sourceId],
  );
  return row === undefined ? null : viewOf(row);
}
