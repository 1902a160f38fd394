import type { Migration } from '@patchtrail/postgres';
import { partitionsMigration } from './partitions.migration.js';

/** Migrations of the event store's own database, to be run as its owner. */
export const eventStoreMigrations: readonly Migration[] = [
  {
    name: 'event-store-001-events',
    // `json` and not `jsonb`: an event is given back as it came in, order of keys included.
    sql: `
CREATE SCHEMA event_store;

CREATE TABLE event_store.events (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream text NOT NULL,
  revision integer NOT NULL CHECK (revision >= 0),
  id uuid NOT NULL,
  type text NOT NULL,
  data json NOT NULL,
  metadata json NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
  UNIQUE (stream, revision)
);

CREATE FUNCTION event_store.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events are immutable: % is refused', TG_OP
    USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER events_are_immutable
  BEFORE UPDATE OR DELETE OR TRUNCATE ON event_store.events
  FOR EACH STATEMENT EXECUTE FUNCTION event_store.refuse_change();
-- ALWAYS, or a session in replication mode would pass it.
ALTER TABLE event_store.events ENABLE ALWAYS TRIGGER events_are_immutable;

CREATE FUNCTION event_store.last_revision(of_stream text) RETURNS integer
LANGUAGE sql STABLE AS $$
  SELECT coalesce(max(revision), -1) FROM event_store.events WHERE stream = of_stream
$$;

-- One call is one short transaction. With stored = false, revision is that of the stream.
CREATE FUNCTION event_store.append(
  to_stream text, expected integer, ids uuid[], types text[], datas text[], metadatas text[],
  OUT stored boolean, OUT revision integer, OUT "position" bigint
) LANGUAGE plpgsql AS $$
DECLARE
  size CONSTANT integer := cardinality(ids);
BEGIN
  revision := event_store.last_revision(to_stream);
  IF revision = expected THEN
    -- Positions are assigned and committed by one writer at a time. Without this lock a reader
    -- could pass a position that an open transaction fills later.
    PERFORM pg_advisory_xact_lock(hashtextextended('event_store.append', 0));
    revision := event_store.last_revision(to_stream);
  END IF;

  IF revision = expected THEN
    INSERT INTO event_store.events AS e (stream, revision, id, type, data, metadata)
    SELECT to_stream, expected + n.ordinal, n.id, n.type, n.data::json, n.metadata::json
    FROM unnest(ids, types, datas, metadatas)
      WITH ORDINALITY AS n (id, type, data, metadata, ordinal)
    ORDER BY n.ordinal;
    stored := true;
    -- Only a hint for readers, who poll as well.
    PERFORM pg_notify('event_store', '');
  ELSE
    -- The same ids at the same revisions are the same append, repeated.
    stored := ids = ARRAY(
      SELECT e.id FROM event_store.events e
      WHERE e.stream = to_stream AND e.revision > expected AND e.revision <= expected + size
      ORDER BY e.revision);
  END IF;

  IF stored THEN
    revision := expected + size;
    SELECT e.position INTO STRICT "position" FROM event_store.events e
    WHERE e.stream = to_stream AND e.revision = expected + size;
  END IF;
END $$;

REVOKE ALL ON FUNCTION event_store.append FROM PUBLIC;
REVOKE ALL ON FUNCTION event_store.last_revision FROM PUBLIC;
`,
  },
  {
    name: 'event-store-002-identity',
    sql: `
CREATE TABLE event_store.identity (
  id uuid NOT NULL,
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only)
);
INSERT INTO event_store.identity (id) VALUES (gen_random_uuid());
`,
  },
  partitionsMigration,
];

/** What the role of the services may do: read, and append by the function that does it under its lock. */
export function eventStoreGrants(role: string): string {
  const grantee = `"${role.replaceAll('"', '""')}"`;
  return `
REVOKE ALL ON ALL TABLES IN SCHEMA event_store FROM ${grantee};
GRANT USAGE ON SCHEMA event_store TO ${grantee};
GRANT SELECT ON event_store.events, event_store.streams, event_store.archived_ranges,
  event_store.identity TO ${grantee};
GRANT EXECUTE ON FUNCTION event_store.append, event_store.append_one TO ${grantee};
`;
}
