import { messagingMigrations } from '@patchtrail/messaging';
import { idempotencyMigration, parkedReplaysMigration } from '@patchtrail/platform';
import type { Migration } from '@patchtrail/postgres';

const schema: Migration = {
  name: 'prioritization-001-decisions',
  sql: `
    CREATE TABLE endpoints (
      endpoint_id uuid PRIMARY KEY,
      exposure text NOT NULL,
      business_impact text NOT NULL,
      retired boolean NOT NULL DEFAULT false
    );
    CREATE TABLE patches (
      patch_id uuid PRIMARY KEY,
      patch jsonb NOT NULL,
      status text NOT NULL DEFAULT 'available'
    );
    CREATE TABLE applicability (
      endpoint_id uuid NOT NULL,
      patch_id uuid NOT NULL,
      PRIMARY KEY (patch_id, endpoint_id)
    );
    CREATE INDEX applicability_by_endpoint ON applicability (endpoint_id);
    CREATE TABLE kev_entries (cve_id text PRIMARY KEY, date_added text NOT NULL);
    CREATE TABLE kev_catalog (
      one boolean PRIMARY KEY DEFAULT true CHECK (one),
      version text NOT NULL,
      released_at text NOT NULL
    );
    CREATE SEQUENCE decision_changes;
    CREATE TABLE decisions (
      decision_id uuid PRIMARY KEY,
      number bigint GENERATED ALWAYS AS IDENTITY,
      patch_id uuid NOT NULL,
      patch_revision int NOT NULL,
      category text NOT NULL,
      change bigint NOT NULL DEFAULT nextval('decision_changes'),
      decision jsonb NOT NULL
    );
    CREATE INDEX decisions_by_patch ON decisions (patch_id);
  `,
};

const completeCatalogues: Migration = {
  name: 'prioritization-002-complete-catalogues',
  sql: 'ALTER TABLE kev_entries ADD COLUMN counts boolean NOT NULL DEFAULT true',
};

export const prioritizationMigrations: readonly Migration[] = [
  idempotencyMigration,
  parkedReplaysMigration,
  ...messagingMigrations,
  schema,
  completeCatalogues,
];
