import { messagingMigrations } from '@patchtrail/messaging';
import { idempotencyMigration, parkedReplaysMigration } from '@patchtrail/platform';
import type { Migration } from '@patchtrail/postgres';

const ENDPOINTS = `
  CREATE TABLE enrolment_tokens (
    token_id uuid PRIMARY KEY,
    token_digest text NOT NULL UNIQUE,
    attributes jsonb NOT NULL,
    expires_at timestamptz NOT NULL,
    endpoint_id uuid,
    credential_digest text
  );
  CREATE TABLE endpoints (
    endpoint_id uuid PRIMARY KEY,
    revision integer NOT NULL,
    lifecycle text NOT NULL,
    attributes jsonb NOT NULL,
    credential_digest text NOT NULL,
    agent_version text NOT NULL,
    enrolled_at timestamptz NOT NULL,
    last_seen_at timestamptz,
    retirement_reason text
  );
  CREATE TABLE inventories (
    endpoint_id uuid PRIMARY KEY REFERENCES endpoints,
    sequence bigint NOT NULL,
    collected_at text NOT NULL,
    received_at timestamptz NOT NULL,
    digest text NOT NULL,
    package_count integer NOT NULL,
    holds jsonb NOT NULL,
    sources jsonb NOT NULL,
    pending_upgrades jsonb NOT NULL,
    apt_problem text,
    reboot_required boolean NOT NULL,
    reboot_packages jsonb NOT NULL,
    trust_problems jsonb NOT NULL
  );
  CREATE TABLE installed_packages (
    endpoint_id uuid NOT NULL REFERENCES endpoints,
    name text NOT NULL,
    architecture text NOT NULL,
    version text NOT NULL,
    source_name text NOT NULL,
    source_version text NOT NULL,
    status text NOT NULL,
    PRIMARY KEY (endpoint_id, name, architecture)
  );
  CREATE INDEX installed_packages_by_version ON installed_packages (name, version);
  CREATE INDEX installed_packages_by_source ON installed_packages (source_name, source_version);
  CREATE TABLE endpoint_sources (
    endpoint_id uuid NOT NULL REFERENCES endpoints,
    uri text NOT NULL,
    suite text NOT NULL,
    component text NOT NULL,
    PRIMARY KEY (endpoint_id, uri, suite, component)
  );
  CREATE INDEX endpoint_sources_by_place ON endpoint_sources (uri, suite);
  CREATE TABLE device_groups (
    group_id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    selector jsonb NOT NULL,
    defined_at timestamptz NOT NULL
  );
`;

const SOURCES = `
  CREATE TABLE package_sources (
    source_id uuid PRIMARY KEY,
    uri text NOT NULL,
    suite text NOT NULL,
    components text[] NOT NULL,
    architectures text[] NOT NULL,
    keyring text NOT NULL,
    key_fingerprints text[] NOT NULL,
    admitted_at timestamptz NOT NULL,
    origin text,
    label text,
    release_suite text,
    codename text,
    not_automatic boolean NOT NULL DEFAULT false,
    release_digest text,
    released_at timestamptz,
    valid_until timestamptz,
    package_count integer,
    synced_at timestamptz,
    checked_at timestamptz,
    attempted_at timestamptz,
    failure_code text,
    failure_detail text,
    failed_at timestamptz,
    UNIQUE (uri, suite)
  );
  CREATE TABLE index_packages (
    source_id uuid NOT NULL REFERENCES package_sources,
    component text NOT NULL,
    package text NOT NULL,
    architecture text NOT NULL,
    version text NOT NULL,
    source_package text NOT NULL,
    source_version text NOT NULL,
    filename text NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    PRIMARY KEY (source_id, package, architecture, version)
  );
  CREATE INDEX index_packages_by_source ON index_packages (source_package, source_version);
`;

const PATCHES = `
  CREATE TABLE patches (
    patch_id uuid PRIMARY KEY,
    vendor text NOT NULL,
    release text NOT NULL,
    source_package text NOT NULL,
    source_version text NOT NULL,
    content jsonb NOT NULL,
    superseded_by uuid
  );
  CREATE INDEX patches_by_line ON patches (source_package, vendor, release);
  CREATE TABLE patch_packages (
    patch_id uuid NOT NULL REFERENCES patches,
    package text NOT NULL,
    architecture text NOT NULL,
    PRIMARY KEY (patch_id, package, architecture)
  );
  CREATE TABLE patch_sources (
    patch_id uuid NOT NULL REFERENCES patches,
    source_id uuid NOT NULL REFERENCES package_sources,
    PRIMARY KEY (patch_id, source_id)
  );
  CREATE TABLE applicability (
    endpoint_id uuid NOT NULL REFERENCES endpoints,
    patch_id uuid NOT NULL REFERENCES patches,
    state text NOT NULL,
    reason text NOT NULL,
    installed_version text,
    packages jsonb NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (endpoint_id, patch_id)
  );
  CREATE INDEX applicability_by_patch ON applicability (patch_id, state);
  CREATE TABLE changelogs (
    package_sha256 text PRIMARY KEY,
    changelog jsonb NOT NULL
  );
  CREATE SEQUENCE discovery_work_generation;
  CREATE TABLE discovery_work (
    kind text NOT NULL,
    endpoint_id uuid NOT NULL,
    generation bigint NOT NULL DEFAULT nextval('discovery_work_generation'),
    attempts integer NOT NULL DEFAULT 0,
    not_before timestamptz,
    cause text,
    PRIMARY KEY (kind, endpoint_id)
  );
`;

const SIGNALS = `
  CREATE TABLE threat_catalogues (
    signal text PRIMARY KEY,
    catalog_version text NOT NULL,
    released_at text NOT NULL,
    entry_count integer NOT NULL,
    imported_at timestamptz NOT NULL
  );
  CREATE TABLE kev_entries (
    cve_id text PRIMARY KEY,
    date_added text NOT NULL,
    due_date text NOT NULL,
    known_ransomware boolean NOT NULL
  );
`;

const LAPSES = `
  ALTER TABLE endpoints ADD COLUMN stale_since timestamptz;
  CREATE INDEX endpoints_by_sighting ON endpoints (last_seen_at)
    WHERE lifecycle = 'active' AND stale_since IS NULL;
  ALTER TABLE patches ADD COLUMN withdrawn_at timestamptz;
`;

const WORK_LINKS = `
  ALTER TABLE discovery_work ADD COLUMN asked_by text[] NOT NULL DEFAULT '{}';
`;

/** Everything the service's database holds. */
export const discoveryMigrations: readonly Migration[] = [
  ...messagingMigrations,
  idempotencyMigration,
  parkedReplaysMigration,
  { name: 'discovery-001-endpoints', sql: ENDPOINTS },
  { name: 'discovery-002-package-sources', sql: SOURCES },
  { name: 'discovery-003-patches', sql: PATCHES },
  { name: 'discovery-004-threat-signals', sql: SIGNALS },
  { name: 'discovery-005-lapses', sql: LAPSES },
  { name: 'discovery-006-work-links', sql: WORK_LINKS },
];
