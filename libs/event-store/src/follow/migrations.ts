import { LEASE_EPOCHS_TABLE, type Migration } from '@patchtrail/postgres';

/** Tables of projections, reactions and timers, to be part of a service's own migrations. */
export const projectionMigrations: readonly Migration[] = [
  {
    name: 'event-store-101-projections',
    sql: `
CREATE TABLE checkpoints (
  name text PRIMARY KEY,
  position text,
  moved_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE parked_events (
  reaction text NOT NULL,
  stream text NOT NULL,
  revision integer NOT NULL,
  type text NOT NULL,
  cause text NOT NULL,
  parked_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (reaction, stream, revision)
);

CREATE TABLE refused_events (
  reaction text NOT NULL,
  stream text NOT NULL,
  revision integer NOT NULL,
  type text NOT NULL,
  code text NOT NULL,
  detail text,
  refused_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (reaction, stream, revision)
);

CREATE TABLE timers (
  stream text NOT NULL,
  timer_id text NOT NULL,
  generation integer NOT NULL,
  due_at timestamptz NOT NULL,
  purpose text NOT NULL,
  elapsed_at timestamptz,
  tries integer NOT NULL DEFAULT 0,
  retry_at timestamptz,
  last_error text,
  PRIMARY KEY (stream, timer_id)
);
CREATE INDEX timers_due ON timers (coalesce(retry_at, due_at)) WHERE elapsed_at IS NULL;
`,
  },
  {
    name: 'event-store-102-followed-store',
    sql: `
CREATE TABLE followed_store (
  identity text NOT NULL,
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only)
);
`,
  },
  {
    name: 'event-store-103-lease-epochs',
    sql: LEASE_EPOCHS_TABLE,
  },
  {
    // An event without a cause waits behind the one that has it.
    name: 'event-store-104-parked-tries',
    sql: `
ALTER TABLE parked_events
  ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  ADD COLUMN code text,
  ADD COLUMN tries integer NOT NULL DEFAULT 0,
  ADD COLUMN tried_at timestamptz,
  ALTER COLUMN cause DROP NOT NULL;
`,
  },
  {
    // Of the event that scheduled it.
    name: 'event-store-105-timer-traces',
    sql: 'ALTER TABLE timers ADD COLUMN traceparent text',
  },
  {
    name: 'event-store-106-refused-events-by-age',
    sql: 'CREATE INDEX refused_events_by_age ON refused_events (refused_at)',
  },
];
