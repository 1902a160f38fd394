import type { Sql } from '@patchtrail/postgres';
import type { PackageSource, SourceStore } from '../../application/ports.js';
import type { IndexPackage } from '../../domain/index-package.js';
import type { PatchArchive } from '../../domain/patch.js';

const INSERT_ROWS_MAX = 10_000;

type SourceRow = Readonly<{
  source_id: string;
  uri: string;
  suite: string;
  components: string[];
  architectures: string[];
  keyring: string;
  key_fingerprints: string[];
  admitted_at: Date;
  release_digest: string | null;
  released_at: Date | null;
  package_count: number | null;
}>;

export function sourceStore(sql: Sql): SourceStore {
  const one = async (sourceId: string, lock: string) => {
    const [row] = await sql.rows<SourceRow>(
      `SELECT * FROM package_sources WHERE source_id = $1 ${lock}`,
      [sourceId],
    );
    return row === undefined ? null : sourceOf(row);
  };
  return {
    add: (source) => addSource(sql, source),
    find: (sourceId) => one(sourceId, ''),
    lock: (sourceId) => one(sourceId, 'FOR NO KEY UPDATE'),
    due: async (before) => {
      const rows = await sql.rows<{ source_id: string }>(
        `SELECT source_id FROM package_sources WHERE attempted_at IS NULL OR attempted_at < $1
          ORDER BY attempted_at NULLS FIRST, source_id LIMIT 100`,
        [before],
      );
      return rows.map((row) => row.source_id);
    },
    attempted: async (sourceId, at) => {
      await sql.run('UPDATE package_sources SET attempted_at = $2 WHERE source_id = $1', [
        sourceId,
        at,
      ]);
    },
    unchanged: async (sourceId, at) => {
      await sql.run(
        `UPDATE package_sources SET checked_at = $2, failure_code = NULL, failure_detail = NULL,
                failed_at = NULL WHERE source_id = $1`,
        [sourceId, at],
      );
    },
    failed: async (sourceId, code, detail, at) => {
      await sql.run(
        `UPDATE package_sources SET failure_code = $2, failure_detail = $3, failed_at = $4
          WHERE source_id = $1`,
        [sourceId, code, detail, at],
      );
    },
    replaceIndex: (sourceId, index) => replaceIndex(sql, sourceId, index),
    archives: async () => {
      const rows = await sql.rows<PatchArchive>(
        `SELECT source_id AS "sourceId", uri, origin, label, release_suite AS suite, codename
           FROM package_sources WHERE release_digest IS NOT NULL AND NOT not_automatic`,
      );
      return new Map(rows.map((row) => [row.sourceId, row]));
    },
    packagesOf: (sourceIds, sourcePackage, sourceVersion) =>
      sql.rows<IndexPackage & { sourceId: string }>(
        `SELECT source_id AS "sourceId", component, package, version, architecture,
                source_package AS "sourcePackage", source_version AS "sourceVersion", filename,
                sha256, size::float8 AS size
           FROM index_packages
          WHERE source_package = $2 AND source_version = $3 AND source_id = ANY($1::uuid[])`,
        [sourceIds, sourcePackage, sourceVersion],
      ),
  };
}

function sourceOf(row: SourceRow): PackageSource {
  const { release_digest: releaseDigest, released_at: released, package_count: count } = row;
  const inForce =
    releaseDigest === null || released === null
      ? null
      : { releaseDigest, releasedAt: released.toISOString(), packageCount: count ?? 0 };
  return {
    sourceId: row.source_id,
    uri: row.uri,
    suite: row.suite,
    components: row.components,
    architectures: row.architectures,
    keyring: row.keyring,
    keyFingerprints: row.key_fingerprints,
    admittedAt: row.admitted_at.toISOString(),
    inForce,
  };
}

async function addSource(sql: Sql, source: PackageSource): Promise<boolean> {
  const added = await sql.run(
    `INSERT INTO package_sources (source_id, uri, suite, components, architectures, keyring,
                                  key_fingerprints, admitted_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (uri, suite) DO NOTHING`,
    [
      ...[source.sourceId, source.uri, source.suite, source.components, source.architectures],
      ...[source.keyring, source.keyFingerprints, source.admittedAt],
    ],
  );
  return added === 1;
}

/** Readers see the old index until the transaction ends, and then the new one. */
async function replaceIndex(
  sql: Sql,
  sourceId: string,
  { release, releaseDigest, packages, at }: Parameters<SourceStore['replaceIndex']>[1],
): Promise<void> {
  await sql.run('DELETE FROM index_packages WHERE source_id = $1', [sourceId]);
  for (let i = 0; i < packages.length; i += INSERT_ROWS_MAX) {
    await insertIndex(sql, sourceId, packages.slice(i, i + INSERT_ROWS_MAX));
  }
  await sql.run(
    `UPDATE package_sources SET origin = $2, label = $3, release_suite = $4, codename = $5,
            not_automatic = $6, release_digest = $7, released_at = $8, valid_until = $9,
            package_count = $10, synced_at = $11, checked_at = $11,
            failure_code = NULL, failure_detail = NULL, failed_at = NULL
      WHERE source_id = $1`,
    [
      ...[sourceId, release.origin, release.label, release.suite, release.codename],
      ...[release.notAutomatic, releaseDigest, release.date, release.validUntil],
      ...[packages.length, at],
    ],
  );
}

async function insertIndex(
  sql: Sql,
  sourceId: string,
  packages: readonly IndexPackage[],
): Promise<void> {
  await sql.run(
    `INSERT INTO index_packages (source_id, component, package, architecture, version,
                                 source_package, source_version, filename, sha256, size)
     SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                              $7::text[], $8::text[], $9::text[], $10::bigint[])`,
    [
      sourceId,
      packages.map(({ component }) => component),
      packages.map((each) => each.package),
      packages.map(({ architecture }) => architecture),
      packages.map(({ version }) => version),
      packages.map(({ sourcePackage }) => sourcePackage),
      packages.map(({ sourceVersion }) => sourceVersion),
      packages.map(({ filename }) => filename),
      packages.map(({ sha256 }) => sha256),
      packages.map(({ size }) => size),
    ],
  );
}
