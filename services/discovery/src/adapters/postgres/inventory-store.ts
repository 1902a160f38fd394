import type { Sql } from '@patchtrail/postgres';
import type { Inventory, InventoryStore, ReportedSource } from '../../application/ports.js';
import type { PendingUpgrade } from '../../domain/apt-check.js';
import type { InstalledPackage } from '../../domain/inventory.js';
import { readLocation } from '../../domain/source-location.js';

type InventoryRow = Readonly<{
  sequence: string;
  collected_at: string;
  received_at: Date;
  digest: string;
  package_count: number;
  holds: string[];
  sources: ReportedSource[];
  pending_upgrades: PendingUpgrade[];
  apt_problem: string | null;
  reboot_required: boolean;
  reboot_packages: string[];
  trust_problems: string[];
  agent_version: string;
}>;

const PACKAGE_COLUMNS = `name, version, architecture, source_name AS "sourceName",
  source_version AS "sourceVersion", status`;

/** Source archives in use on an endpoint, whose packages its apt takes without being asked. */
export const SOURCES_IN_USE = `
  endpoint_sources es
  JOIN package_sources s ON s.uri = es.uri AND s.suite = es.suite AND NOT s.not_automatic`;

/** A package may change between `all` and the machine's architecture from one version to the next. */
export const SAME_ARCHITECTURE = `(x.architecture = i.architecture OR 'all' IN (x.architecture, i.architecture))`;

export function inventoryStore(sql: Sql): InventoryStore {
  return {
    find: (endpointId) => findInventory(sql, endpointId),
    put: (endpointId, inventory) => putInventory(sql, endpointId, inventory),
    seen: async (endpointId, { sequence, collectedAt, receivedAt }) => {
      await sql.run(
        `WITH seen AS (UPDATE inventories SET sequence = $2, collected_at = $3, received_at = $4
                        WHERE endpoint_id = $1)
         UPDATE endpoints SET last_seen_at = $4, stale_since = NULL WHERE endpoint_id = $1`,
        [endpointId, sequence, collectedAt, receivedAt],
      );
    },
    packages: (endpointId) =>
      sql.rows<InstalledPackage>(
        `SELECT ${PACKAGE_COLUMNS} FROM installed_packages WHERE endpoint_id = $1
          ORDER BY name, architecture`,
        [endpointId],
      ),
    changePackages: async (endpointId, { put, gone }) => {
      if (gone.length > 0) {
        await sql.run(
          `DELETE FROM installed_packages i
            USING unnest($2::text[], $3::text[]) AS g(name, architecture)
            WHERE i.endpoint_id = $1 AND i.name = g.name AND i.architecture = g.architecture`,
          [endpointId, gone.map(({ name }) => name), gone.map((each) => each.architecture)],
        );
      }
      if (put.length > 0) await putPackages(sql, endpointId, put);
    },
    changeSources: (endpointId, sources) => changeSources(sql, endpointId, sources),
    offeredVersions: async (endpointId) => {
      const rows = await sql.rows<{ key: string; versions: string[] }>(
        `SELECT i.name || ':' || i.architecture AS key, array_agg(DISTINCT x.version) AS versions
           FROM ${SOURCES_IN_USE}
           JOIN installed_packages i ON i.endpoint_id = es.endpoint_id
           JOIN index_packages x ON x.source_id = s.source_id AND x.component = es.component
                                AND x.package = i.name AND ${SAME_ARCHITECTURE}
          WHERE es.endpoint_id = $1
          GROUP BY i.name, i.architecture`,
        [endpointId],
      );
      return new Map(rows.map(({ key, versions }) => [key, versions]));
    },
  };
}

async function findInventory(sql: Sql, endpointId: string): Promise<Inventory | null> {
  const [row] = await sql.rows<InventoryRow>(
    `SELECT v.*, e.agent_version FROM inventories v JOIN endpoints e USING (endpoint_id)
      WHERE endpoint_id = $1`,
    [endpointId],
  );
  if (row === undefined) return null;
  return {
    sequence: Number(row.sequence),
    collectedAt: row.collected_at,
    receivedAt: row.received_at.toISOString(),
    digest: row.digest,
    packageCount: row.package_count,
    holds: row.holds,
    sources: row.sources,
    pendingUpgrades: row.pending_upgrades,
    aptProblem: row.apt_problem,
    rebootRequired: row.reboot_required,
    rebootPackages: row.reboot_packages,
    trustProblems: row.trust_problems,
    agentVersion: row.agent_version,
  };
}

async function putInventory(sql: Sql, endpointId: string, inventory: Inventory): Promise<void> {
  await sql.run(
    `INSERT INTO inventories (endpoint_id, sequence, collected_at, received_at, digest,
       package_count, holds, sources, pending_upgrades, apt_problem, reboot_required,
       reboot_packages, trust_problems)
     VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb, $8::jsonb, $9::jsonb, $10, $11, $12::jsonb, $13::jsonb)
     ON CONFLICT (endpoint_id) DO UPDATE SET
       sequence = excluded.sequence, collected_at = excluded.collected_at,
       received_at = excluded.received_at, digest = excluded.digest,
       package_count = excluded.package_count, holds = excluded.holds,
       sources = excluded.sources, pending_upgrades = excluded.pending_upgrades,
       apt_problem = excluded.apt_problem, reboot_required = excluded.reboot_required,
       reboot_packages = excluded.reboot_packages, trust_problems = excluded.trust_problems`,
    [
      ...[endpointId, inventory.sequence, inventory.collectedAt, inventory.receivedAt],
      ...[inventory.digest, inventory.packageCount, JSON.stringify(inventory.holds)],
      ...[JSON.stringify(inventory.sources), JSON.stringify(inventory.pendingUpgrades)],
      ...[inventory.aptProblem, inventory.rebootRequired],
      ...[JSON.stringify(inventory.rebootPackages), JSON.stringify(inventory.trustProblems)],
    ],
  );
  await sql.run(
    `UPDATE endpoints SET agent_version = $2, last_seen_at = $3, stale_since = NULL
      WHERE endpoint_id = $1`,
    [endpointId, inventory.agentVersion, inventory.receivedAt],
  );
}

async function putPackages(
  sql: Sql,
  endpointId: string,
  packages: readonly InstalledPackage[],
): Promise<void> {
  await sql.run(
    `INSERT INTO installed_packages
       (endpoint_id, name, architecture, version, source_name, source_version, status)
     SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
     ON CONFLICT (endpoint_id, name, architecture) DO UPDATE SET
       version = excluded.version, source_name = excluded.source_name,
       source_version = excluded.source_version, status = excluded.status`,
    [
      endpointId,
      packages.map(({ name }) => name),
      packages.map(({ architecture }) => architecture),
      packages.map(({ version }) => version),
      packages.map(({ sourceName }) => sourceName),
      packages.map(({ sourceVersion }) => sourceVersion),
      packages.map(({ status }) => status),
    ],
  );
}

/** A place that could never be fetched is kept in the report alone. */
async function changeSources(
  sql: Sql,
  endpointId: string,
  sources: readonly ReportedSource[],
): Promise<void> {
  const places = sources.flatMap(({ uri, suite, components }) => {
    const location = readLocation(uri, suite);
    return location === null ? [] : components.map((component) => ({ ...location, component }));
  });
  await sql.run('DELETE FROM endpoint_sources WHERE endpoint_id = $1', [endpointId]);
  await sql.run(
    `INSERT INTO endpoint_sources (endpoint_id, uri, suite, component)
     SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING`,
    [
      endpointId,
      places.map(({ uri }) => uri),
      places.map(({ suite }) => suite),
      places.map(({ component }) => component),
    ],
  );
}
