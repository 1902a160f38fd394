import { messagingMigrations } from '@patchtrail/messaging';
import { idempotencyMigration, parkedReplaysMigration } from '@patchtrail/platform';
import type { Migration } from '@patchtrail/postgres';

const schema: Migration = {
  name: 'reporting-001-trail',
  sql: `
    CREATE TABLE events (
      number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      event_id text NOT NULL UNIQUE,
      type text NOT NULL,
      subject text NOT NULL,
      time timestamptz NOT NULL,
      recorded_time timestamptz NOT NULL,
      actor text NOT NULL,
      correlation_id text NOT NULL,
      causation_id text NOT NULL,
      data jsonb NOT NULL
    );
    CREATE TABLE event_patches (
      patch_id uuid NOT NULL,
      number bigint NOT NULL REFERENCES events,
      PRIMARY KEY (patch_id, number)
    );
    CREATE TABLE event_rollouts (
      rollout_id uuid NOT NULL,
      number bigint NOT NULL REFERENCES events,
      PRIMARY KEY (rollout_id, number)
    );
    CREATE TABLE request_patches (
      request_id uuid NOT NULL,
      patch_id uuid NOT NULL,
      PRIMARY KEY (request_id, patch_id)
    );
    CREATE TABLE rollout_patches (
      rollout_id uuid NOT NULL,
      patch_id uuid NOT NULL,
      PRIMARY KEY (rollout_id, patch_id)
    );
    CREATE TABLE endpoints (
      endpoint_id uuid PRIMARY KEY,
      attributes jsonb NOT NULL,
      collected_at timestamptz,
      retired boolean NOT NULL DEFAULT false
    );
    CREATE TABLE patches (
      patch_id uuid PRIMARY KEY,
      vendor_key text NOT NULL,
      title text NOT NULL,
      status text NOT NULL DEFAULT 'available'
    );
    CREATE TABLE applicability (
      endpoint_id uuid NOT NULL,
      patch_id uuid NOT NULL,
      state text NOT NULL,
      reason text NOT NULL,
      installed_version text,
      since timestamptz NOT NULL,
      PRIMARY KEY (endpoint_id, patch_id)
    );
    CREATE INDEX applicability_by_patch ON applicability (patch_id);
    CREATE TABLE failure_tickets (
      ticket_id uuid PRIMARY KEY,
      number bigint GENERATED ALWAYS AS IDENTITY,
      rollout_id uuid NOT NULL,
      raised_at timestamptz NOT NULL,
      ticket jsonb NOT NULL
    );
    CREATE INDEX failure_tickets_by_rollout ON failure_tickets (rollout_id);
  `,
};

export const reportingMigrations: readonly Migration[] = [
  idempotencyMigration,
  parkedReplaysMigration,
  ...messagingMigrations,
  schema,
];
