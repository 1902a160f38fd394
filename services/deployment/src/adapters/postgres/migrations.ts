import { projectionMigrations } from '@patchtrail/event-store';
import { messagingMigrations } from '@patchtrail/messaging';
import { idempotencyMigration, parkedReplaysMigration } from '@patchtrail/platform';
import type { Migration } from '@patchtrail/postgres';

const ownMigrations: readonly Migration[] = [
  {
    name: 'deployment-001-fleet',
    sql: `
      CREATE TABLE endpoints (
        endpoint_id uuid PRIMARY KEY,
        attributes jsonb NOT NULL,
        credential_digest text,
        retired boolean NOT NULL DEFAULT false
      );
      -- Only what a patch is missing on, or has failed on.
      CREATE TABLE needed_patches (
        endpoint_id uuid NOT NULL,
        patch_id uuid NOT NULL,
        PRIMARY KEY (patch_id, endpoint_id)
      );
      CREATE TABLE device_groups (
        group_id uuid PRIMARY KEY,
        selector jsonb NOT NULL
      );
      -- Every revision: a lease carries the one that was approved.
      CREATE TABLE patches (
        patch_id uuid NOT NULL,
        revision integer NOT NULL,
        content_digest text NOT NULL,
        source_package text NOT NULL,
        source_version text NOT NULL,
        artifacts jsonb NOT NULL,
        PRIMARY KEY (patch_id, revision)
      );`,
  },
  {
    name: 'deployment-002-rollouts',
    sql: `
      CREATE TABLE cohort_drafts (
        rollout_id uuid PRIMARY KEY,
        draft jsonb NOT NULL,
        kept_at timestamptz NOT NULL DEFAULT clock_timestamp()
      );
      CREATE TABLE rollouts (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        rollout_id uuid NOT NULL UNIQUE,
        request_id uuid NOT NULL,
        change_digest text NOT NULL,
        plan_name text NOT NULL,
        status text NOT NULL,
        epoch integer NOT NULL,
        ring text,
        revision integer NOT NULL,
        created_at timestamptz NOT NULL,
        changed_at timestamptz NOT NULL
      );
      CREATE INDEX rollouts_by_request ON rollouts (request_id);
      CREATE TABLE wave_parts (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        stream text NOT NULL UNIQUE
      );
      CREATE TABLE part_members (
        endpoint_id uuid NOT NULL,
        part_number bigint NOT NULL REFERENCES wave_parts,
        ended boolean NOT NULL DEFAULT false,
        PRIMARY KEY (endpoint_id, part_number)
      );
      CREATE INDEX part_members_open ON part_members (endpoint_id) WHERE NOT ended;
      CREATE TABLE attempts (
        attempt_id uuid PRIMARY KEY,
        stream text NOT NULL
      );
      CREATE TABLE refused_reports (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        endpoint_id uuid NOT NULL,
        attempt_id uuid NOT NULL,
        kind text NOT NULL,
        code text NOT NULL,
        detail text NOT NULL,
        report_digest text NOT NULL,
        times integer NOT NULL DEFAULT 1,
        first_at timestamptz NOT NULL,
        last_at timestamptz NOT NULL,
        UNIQUE (endpoint_id, attempt_id, kind, code, report_digest)
      );
      -- Outcomes come from many streams; this numbers their messages in one order per rollout.
      CREATE TABLE published_outcomes (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        message_id uuid NOT NULL UNIQUE
      );`,
  },
  {
    name: 'deployment-003-numbers-from-events',
    // A sequence counts what was rolled back too; rows that are built again must get the same numbers.
    sql: `
      ALTER TABLE rollouts ALTER COLUMN number DROP IDENTITY;
      ALTER TABLE wave_parts ALTER COLUMN number DROP IDENTITY;`,
  },
  {
    name: 'deployment-004-opened-parts',
    // Of a part that is there already nobody knows: it counts as open, as all of them did.
    sql: `
      ALTER TABLE wave_parts ADD COLUMN opened boolean NOT NULL DEFAULT true;
      ALTER TABLE wave_parts ALTER COLUMN opened SET DEFAULT false;`,
  },
  {
    name: 'deployment-005-leased-in',
    // Where its last lease may still be out: the rows of parts may be behind.
    sql: 'ALTER TABLE endpoints ADD COLUMN leased_in text;',
  },
];

/** Everything the service's database holds. */
export const deploymentMigrations: readonly Migration[] = [
  idempotencyMigration,
  parkedReplaysMigration,
  ...messagingMigrations,
  ...projectionMigrations,
  ...ownMigrations,
];
