import { projectionMigrations } from '@patchtrail/event-store';
import { messagingMigrations } from '@patchtrail/messaging';
import { idempotencyMigration, parkedReplaysMigration } from '@patchtrail/platform';
import type { Migration } from '@patchtrail/postgres';

const ownMigrations: readonly Migration[] = [
  {
    name: 'approval-001-fleet',
    sql: `
      CREATE TABLE patches (
        patch_id uuid PRIMARY KEY,
        revision integer NOT NULL,
        content_digest text NOT NULL,
        status text NOT NULL CHECK (status IN ('available', 'superseded', 'withdrawn')),
        vendor text NOT NULL,
        source_package text NOT NULL,
        suite text NOT NULL,
        security_origin boolean NOT NULL,
        cve_count integer NOT NULL
      );
      CREATE TABLE endpoints (
        endpoint_id uuid PRIMARY KEY,
        attributes jsonb NOT NULL,
        retired boolean NOT NULL DEFAULT false
      );
      -- Only what misses a patch; every other state is nobody's business here.
      CREATE TABLE missing_patches (
        endpoint_id uuid NOT NULL,
        patch_id uuid NOT NULL,
        PRIMARY KEY (endpoint_id, patch_id)
      );
      CREATE INDEX missing_patches_by_patch ON missing_patches (patch_id, endpoint_id);
      CREATE TABLE device_groups (
        group_id uuid PRIMARY KEY,
        selector jsonb NOT NULL
      );
      CREATE TABLE decisions (
        patch_id uuid NOT NULL,
        exposure text NOT NULL,
        business_impact text NOT NULL,
        patch_revision integer NOT NULL,
        decision_id uuid NOT NULL,
        category text NOT NULL,
        provisional boolean NOT NULL,
        due_at text,
        PRIMARY KEY (patch_id, exposure, business_impact)
      );`,
  },
  {
    name: 'approval-002-read-models',
    sql: `
      CREATE TABLE approval_requests (
        request_id uuid PRIMARY KEY,
        status text NOT NULL,
        revision integer NOT NULL,
        requested_by text NOT NULL,
        requested_at text NOT NULL,
        category text NOT NULL,
        due_at text,
        expires_at text NOT NULL,
        closed_at text,
        change_digest text NOT NULL,
        patch_ids uuid[] NOT NULL,
        plan_name text NOT NULL,
        endpoint_count integer NOT NULL,
        rule text NOT NULL,
        reason text NOT NULL,
        stage_count integer NOT NULL,
        stages_passed integer NOT NULL DEFAULT 0
      );
      CREATE INDEX approval_requests_by_age ON approval_requests (requested_at DESC, request_id DESC);
      CREATE TABLE plan_templates (
        template_id uuid PRIMARY KEY,
        revision integer NOT NULL,
        name text NOT NULL,
        rings text[] NOT NULL,
        changed_by text NOT NULL,
        changed_at text NOT NULL
      );
      CREATE TABLE approval_policies (
        policy_id uuid PRIMARY KEY,
        revision integer NOT NULL,
        name text NOT NULL,
        proposed_by text NOT NULL,
        proposed_at text NOT NULL,
        activated_by text,
        activated_at text
      );
      -- One row at most: the policy that was activated last.
      CREATE TABLE active_policy (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        policy_id uuid NOT NULL
      );`,
  },
];

/** Everything the service's database holds. */
export const approvalMigrations: readonly Migration[] = [
  idempotencyMigration,
  parkedReplaysMigration,
  ...messagingMigrations,
  ...projectionMigrations,
  ...ownMigrations,
];
