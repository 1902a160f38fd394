import type { Patch } from '@patchtrail/contracts';
import type { Sql } from '@patchtrail/postgres';
import type { DebChangelog } from '../../application/archive.js';
import type {
  ApplicabilityStore,
  PatchedPackages,
  PatchRow,
  PatchStore,
} from '../../application/ports.js';
import type { Applicability, EndpointCondition } from '../../domain/applicability.js';
import { type InstalledPackage, packageKey } from '../../domain/inventory.js';
import type { Offer, PatchLine } from '../../domain/patch.js';
import { SAME_ARCHITECTURE, SOURCES_IN_USE } from './inventory-store.js';
import { lapsedPatches, RETURNING } from './lapsed-patches.js';

export function patchStore(sql: Sql): PatchStore {
  return {
    lockLine: (line) => lockLine(sql, line),
    find: async (patchId) => {
      const [row] = await sql.rows<PatchRow>(
        `SELECT p.content AS patch, ${RETURNING} AS returning,
                p.withdrawn_at IS NOT NULL AS withdrawn
           FROM patches p WHERE p.patch_id = $1 FOR NO KEY UPDATE`,
        [patchId],
      );
      return row ?? null;
    },
    put: (patch, line) => putPatch(sql, patch, line),
    noteSources: async (patchId, sourceIds) => {
      const added = await sql.run(
        `INSERT INTO patch_sources (patch_id, source_id)
         SELECT $1, * FROM unnest($2::uuid[]) ON CONFLICT DO NOTHING`,
        [patchId, sourceIds],
      );
      return added > 0;
    },
    line: ({ vendor, release, sourcePackage }) =>
      sql.rows(
        `SELECT patch_id AS "patchId", source_version AS "sourceVersion",
                superseded_by IS NOT NULL AS superseded
           FROM patches WHERE source_package = $1 AND vendor = $2 AND release = $3 AND withdrawn_at IS NULL
          ORDER BY patch_id`,
        [sourcePackage, vendor, release],
      ),
    supersede: async ({ patchId, supersededBy }) => {
      await sql.run('UPDATE patches SET superseded_by = $2 WHERE patch_id = $1', [
        patchId,
        supersededBy,
      ]);
    },
    ...lapsedPatches(sql),
    offers: (endpointId) =>
      sql.rows<Offer>(
        `SELECT i.name AS package, i.architecture, i.source_name AS "sourcePackage",
                i.source_version AS "installedSourceVersion",
                x.source_version AS "offeredSourceVersion", x.source_id AS "sourceId"
           FROM ${SOURCES_IN_USE}
           JOIN endpoints e ON e.endpoint_id = es.endpoint_id AND e.lifecycle = 'active'
           JOIN installed_packages i ON i.endpoint_id = es.endpoint_id
           JOIN index_packages x ON x.source_id = s.source_id AND x.component = es.component
                                AND x.package = i.name AND ${SAME_ARCHITECTURE}
                                AND x.source_package = i.source_name
          WHERE es.endpoint_id = $1 AND x.source_version <> i.source_version
            AND substr(i.status, 2, 1) NOT IN ('n', 'c')`,
        [endpointId],
      ),
    changelog: async (sha256) => {
      const [row] = await sql.rows<{ changelog: DebChangelog }>(
        'SELECT changelog FROM changelogs WHERE package_sha256 = $1',
        [sha256],
      );
      return row?.changelog ?? null;
    },
    keepChangelog: async (sha256, changelog) => {
      await sql.run(
        `INSERT INTO changelogs (package_sha256, changelog) VALUES ($1, $2::jsonb)
         ON CONFLICT DO NOTHING`,
        [sha256, JSON.stringify(changelog)],
      );
    },
  };
}

async function lockLine(sql: Sql, { vendor, release, sourcePackage }: PatchLine): Promise<void> {
  await sql.rows(`SELECT pg_advisory_xact_lock(hashtextextended('patches/line/' || $1, 0))`, [
    JSON.stringify([vendor, release, sourcePackage]),
  ]);
}

async function putPatch(sql: Sql, patch: Patch, line: PatchLine): Promise<void> {
  const { patchId, sourcePackage, sourceVersion, artifacts } = patch;
  await sql.run(
    `INSERT INTO patches (patch_id, vendor, release, source_package, source_version, content)
     VALUES ($1, $2, $3, $4, $5, $6::jsonb)
     ON CONFLICT (patch_id) DO UPDATE SET content = excluded.content`,
    [patchId, line.vendor, line.release, sourcePackage, sourceVersion, JSON.stringify(patch)],
  );
  await sql.run('DELETE FROM patch_packages WHERE patch_id = $1', [patchId]);
  await sql.run(
    `INSERT INTO patch_packages (patch_id, package, architecture)
     SELECT $1, * FROM unnest($2::text[], $3::text[]) ON CONFLICT DO NOTHING`,
    [
      patchId,
      artifacts.map((artifact) => artifact.package),
      artifacts.map(({ architecture }) => architecture),
    ],
  );
}

type ConditionRow = Readonly<{
  holds: string[];
  required: boolean;
  packages: string[];
  lastSeenAt: Date | null;
  staleSince: Date | null;
}>;

function silenceOf({ lastSeenAt, staleSince }: ConditionRow): EndpointCondition['silence'] {
  if (lastSeenAt === null || staleSince === null) return null;
  return { lastSeenAt: lastSeenAt.toISOString(), noticedAt: staleSince.toISOString() };
}

type PatchedRow = InstalledPackage &
  Readonly<{ patchId: string; patchPackage: string; patchVersion: string; withdrawn: boolean }>;

export function applicabilityStore(sql: Sql): ApplicabilityStore {
  return {
    rows: (endpointId) =>
      sql.rows<Applicability>(
        `SELECT patch_id AS "patchId", state, reason, installed_version AS "installedVersion", packages
           FROM applicability WHERE endpoint_id = $1`,
        [endpointId],
      ),
    patched: async (endpointId) => gather(await patchedRows(sql, endpointId)),
    condition: async (endpointId) => {
      const [row] = await sql.rows<ConditionRow>(
        `SELECT v.holds, v.reboot_required AS required, v.reboot_packages AS packages,
                e.last_seen_at AS "lastSeenAt", e.stale_since AS "staleSince"
           FROM inventories v JOIN endpoints e USING (endpoint_id) WHERE endpoint_id = $1`,
        [endpointId],
      );
      return {
        holds: new Set(row?.holds ?? []),
        rebootRequired: row?.required ?? false,
        rebootPackages: new Set(row?.packages ?? []),
        silence: row === undefined ? null : silenceOf(row),
      };
    },
    put: async (endpointId, changes, at) => {
      const gone = changes.filter(({ state }) => state === 'NOT_APPLICABLE');
      const rows = changes.filter(({ state }) => state !== 'NOT_APPLICABLE');
      await sql.run(
        'DELETE FROM applicability WHERE endpoint_id = $1 AND patch_id = ANY($2::uuid[])',
        [endpointId, gone.map(({ patchId }) => patchId)],
      );
      await sql.run(
        `INSERT INTO applicability
           (endpoint_id, patch_id, state, reason, installed_version, packages, since)
         SELECT $1, patch_id, state, reason, installed_version, packages, $7
           FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
                AS r(patch_id, state, reason, installed_version, packages)
         ON CONFLICT (endpoint_id, patch_id) DO UPDATE SET
           state = excluded.state, reason = excluded.reason, packages = excluded.packages,
           installed_version = excluded.installed_version,
           since = CASE WHEN applicability.state = excluded.state
                        THEN applicability.since ELSE excluded.since END`,
        [
          endpointId,
          rows.map(({ patchId }) => patchId),
          rows.map(({ state }) => state),
          rows.map(({ reason }) => reason),
          rows.map(({ installedVersion }) => installedVersion),
          rows.map(({ packages }) => JSON.stringify(packages)),
          at,
        ],
      );
    },
  };
}

function patchedRows(sql: Sql, endpointId: string): Promise<PatchedRow[]> {
  return sql.rows<PatchedRow>(
    `SELECT DISTINCT p.patch_id AS "patchId", p.source_package AS "patchPackage",
            p.source_version AS "patchVersion", i.name, i.architecture, i.version, i.status,
            i.source_name AS "sourceName", i.source_version AS "sourceVersion",
            p.withdrawn_at IS NOT NULL AS withdrawn
       FROM installed_packages i
       JOIN patches p ON p.source_package = i.source_name
       JOIN patch_packages x ON x.patch_id = p.patch_id AND x.package = i.name
                            AND ${SAME_ARCHITECTURE}
      WHERE i.endpoint_id = $1
        AND EXISTS (SELECT FROM patch_sources ps
                      JOIN package_sources s USING (source_id)
                      JOIN endpoint_sources es ON es.uri = s.uri AND es.suite = s.suite
                     WHERE ps.patch_id = p.patch_id AND es.endpoint_id = $1)`,
    [endpointId],
  );
}

function gather(rows: readonly PatchedRow[]): readonly PatchedPackages[] {
  const found = new Map<string, { patch: PatchedRow; installed: Map<string, InstalledPackage> }>();
  for (const row of rows) {
    const { name, architecture, version, sourceName, sourceVersion, status } = row;
    const entry = found.get(row.patchId) ?? { patch: row, installed: new Map() };
    const installed = { name, architecture, version, sourceName, sourceVersion, status };
    entry.installed.set(packageKey(installed), installed);
    found.set(row.patchId, entry);
  }
  return [...found.values()].map(({ patch, installed }) => ({
    patchId: patch.patchId,
    sourcePackage: patch.patchPackage,
    sourceVersion: patch.patchVersion,
    withdrawn: patch.withdrawn,
    installed: [...installed.values()],
  }));
}
