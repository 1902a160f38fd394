import type { Migration } from '@patchtrail/postgres';

/**
 * Events by ranges of their positions, and the heads of the streams in a table of their own: so
 * whole ranges can leave, and a stream still knows where it is. Only `append` writes, with the
 * rights of the owner.
 */
export const partitionsMigration: Migration = {
  name: 'event-store-003-partitions',
  sql: `
DROP FUNCTION event_store.append;
DROP FUNCTION event_store.last_revision;

CREATE TABLE event_store.partitioning (
  -- Positions per partition, for those made from now on. The owner may change it.
  size bigint NOT NULL DEFAULT 1000000 CHECK (size BETWEEN 1000 AND 1000000000),
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only)
);
INSERT INTO event_store.partitioning DEFAULT VALUES;

-- The ranges that are attached, end exclusive.
CREATE TABLE event_store.partitions (
  from_position bigint NOT NULL,
  to_position bigint PRIMARY KEY CHECK (to_position > from_position),
  relation name NOT NULL
);

CREATE TABLE event_store.archived_ranges (
  from_position bigint NOT NULL,
  to_position bigint PRIMARY KEY CHECK (to_position > from_position),
  events bigint NOT NULL,
  file text NOT NULL,
  sha256 text NOT NULL,
  archived_at timestamptz NOT NULL DEFAULT now()
);

-- Where each stream is, and between which positions its events are.
CREATE TABLE event_store.streams (
  stream text PRIMARY KEY,
  revision integer NOT NULL CHECK (revision >= 0),
  from_position bigint NOT NULL,
  to_position bigint NOT NULL
) WITH (fillfactor = 70);
INSERT INTO event_store.streams
SELECT stream, max(revision), min(position), max(position) FROM event_store.events GROUP BY stream;

-- The last position given out. Not an identity column: a whole batch takes its positions at once.
CREATE SEQUENCE event_store.last_position MINVALUE 0 START 0;
SELECT setval('event_store.last_position', coalesce(max(position), 0)) FROM event_store.events;

ALTER TABLE event_store.events ALTER COLUMN position DROP IDENTITY;
ALTER TABLE event_store.events RENAME TO events_from_1;

CREATE TABLE event_store.events (
  position bigint NOT NULL,
  stream text NOT NULL,
  revision integer NOT NULL CONSTRAINT events_revision_check CHECK (revision >= 0),
  id uuid NOT NULL,
  type text NOT NULL,
  data json NOT NULL,
  metadata json NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
  CONSTRAINT events_by_position PRIMARY KEY (position)
) PARTITION BY RANGE (position);

CREATE TRIGGER events_are_immutable
  BEFORE UPDATE OR DELETE OR TRUNCATE ON event_store.events
  FOR EACH STATEMENT EXECUTE FUNCTION event_store.refuse_change();
ALTER TABLE event_store.events ENABLE ALWAYS TRIGGER events_are_immutable;

-- A table as every partition is, and nothing in it yet.
CREATE FUNCTION event_store.make_partition(from_position bigint) RETURNS name
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  relation CONSTANT name := 'events_from_' || from_position;
BEGIN
  EXECUTE format('CREATE TABLE event_store.%I (
    LIKE event_store.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS, UNIQUE (stream, revision))', relation);
  EXECUTE format('CREATE TRIGGER events_are_immutable
    BEFORE UPDATE OR DELETE OR TRUNCATE ON event_store.%I
    FOR EACH STATEMENT EXECUTE FUNCTION event_store.refuse_change()', relation);
  EXECUTE format('ALTER TABLE event_store.%I ENABLE ALWAYS TRIGGER events_are_immutable', relation);
  RETURN relation;
END $$;

-- Attaching keeps readers and writers going, which CREATE TABLE … PARTITION OF would not.
CREATE FUNCTION event_store.attach_partition(relation name, from_position bigint, to_position bigint)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('ALTER TABLE event_store.events ATTACH PARTITION event_store.%I
    FOR VALUES FROM (%s) TO (%s)', relation, from_position, to_position);
  INSERT INTO event_store.partitions (relation, from_position, to_position)
  VALUES (relation, from_position, to_position);
END $$;

SELECT event_store.attach_partition('events_from_1', 1, (s.last_value / p.size + 1) * p.size + 1)
FROM event_store.last_position s, event_store.partitioning p;

-- To be called under the lock of append: partitions up to the position, and one ahead of it.
CREATE FUNCTION event_store.make_room(until bigint) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms' AS $$
DECLARE
  size CONSTANT bigint := (SELECT p.size FROM event_store.partitioning p);
  start bigint := (SELECT max(p.to_position) FROM event_store.partitions p);
BEGIN
  LOOP
    BEGIN
      PERFORM event_store.attach_partition(event_store.make_partition(start), start, start + size);
    EXCEPTION WHEN lock_not_available THEN
      -- The one ahead can wait for the next append; a place for these events cannot.
      IF start <= until THEN RAISE; END IF;
      EXIT;
    END;
    EXIT WHEN start > until;
    start := start + size;
  END LOOP;
END $$;

-- Appends of one or more events each, decided in their order. Per append: its stream, the expected
-- revision (-1 for none), the revision it would reach and, unless firsts is null because no stream
-- occurs twice, the first append here to the same stream. Per event: its append and what is stored.
--
-- Where every append is stored only base is returned: the events have the positions after it, in
-- their order. Else there is an outcome per append: where it is neither stored nor a repetition,
-- position is null and revision is that of the stream.
CREATE FUNCTION event_store.append(
  streams text[], expected integer[], reached integer[], firsts integer[],
  event_appends integer[], event_streams text[], event_revisions integer[],
  ids uuid[], types text[], datas json[], metadatas json[],
  OUT base bigint, OUT revisions integer[], OUT positions bigint[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  heads integer[];
  moved integer[] := reached;
  stored boolean[];
  last bigint;
  newest_partition bigint;
BEGIN
  -- Positions are assigned and committed by one writer at a time. Without this lock a reader
  -- could pass a position that an open transaction fills later.
  PERFORM pg_advisory_xact_lock(hashtextextended('event_store.append', 0));

  SELECT s.last_value, (SELECT max(p.from_position) FROM event_store.partitions p),
    ARRAY(SELECT coalesce(
      (SELECT h.revision FROM event_store.streams h WHERE h.stream = a.stream), -1)
      FROM unnest(streams) a (stream))
  INTO base, newest_partition, heads
  FROM event_store.last_position s;
  last := base + cardinality(ids);

  IF firsts IS NOT NULL OR heads <> expected THEN
    last := base;
    moved := heads;
    FOR n IN 1 .. cardinality(streams) LOOP
      DECLARE
        first CONSTANT integer := coalesce(firsts[n], n);
      BEGIN
        stored[n] := moved[first] = expected[n];
        IF stored[n] THEN
          moved[first] := reached[n];
          last := last + reached[n] - expected[n];
          positions[n] := last;
        END IF;
        revisions[n] := moved[first];
      END;
    END LOOP;
  END IF;

  IF last > base THEN
    IF last >= newest_partition THEN
      PERFORM event_store.make_room(last);
    END IF;
    INSERT INTO event_store.streams AS s (stream, revision, from_position, to_position)
    SELECT m.stream, m.revision, base + 1, last
    FROM unnest(streams, heads, moved) m (stream, was, revision)
    WHERE m.revision <> m.was
    ON CONFLICT (stream) DO UPDATE
      SET revision = excluded.revision, to_position = excluded.to_position;

    IF stored IS NULL THEN
      -- By itself, for what the other way adds is a fifth of the cost of an append.
      INSERT INTO event_store.events (position, stream, revision, id, type, data, metadata)
      SELECT base + e.n, e.stream, e.revision, e.id, e.type, e.data, e.metadata
      FROM unnest(event_streams, event_revisions, ids, types, datas, metadatas)
        WITH ORDINALITY e (stream, revision, id, type, data, metadata, n);
    ELSE
      INSERT INTO event_store.events (position, stream, revision, id, type, data, metadata)
      SELECT base + row_number() OVER (ORDER BY e.n),
        e.stream, e.revision, e.id, e.type, e.data, e.metadata
      FROM unnest(event_appends, event_streams, event_revisions, ids, types, datas, metadatas)
        WITH ORDINALITY e (append, stream, revision, id, type, data, metadata, n)
      WHERE stored[e.append];
    END IF;

    -- The notification is only a hint for readers, who poll as well.
    PERFORM setval('event_store.last_position', last), pg_notify('event_store', '');
  END IF;

  IF false = ANY (stored) THEN
    -- The same ids at the same revisions are the same append, repeated.
    SELECT array_agg(coalesce(r.position, positions[a.n]) ORDER BY a.n),
      array_agg(CASE WHEN r.position IS NULL THEN revisions[a.n] ELSE reached[a.n] END ORDER BY a.n)
    INTO positions, revisions
    FROM generate_subscripts(streams, 1) a (n)
    LEFT JOIN (
      SELECT e.append, max(found.position) AS position
      FROM unnest(event_appends, event_streams, event_revisions, ids)
        e (append, stream, revision, id)
      LEFT JOIN event_store.streams s ON s.stream = e.stream
      LEFT JOIN event_store.events found
        ON found.stream = e.stream AND found.revision = e.revision AND found.id = e.id
        AND found.position BETWEEN s.from_position AND s.to_position
      WHERE NOT stored[e.append]
      GROUP BY e.append
      HAVING bool_and(found.id IS NOT NULL)
    ) r ON r.append = a.n;
  END IF;
END $$;

-- One event, as most appends are: what the general way does for many would be half of the cost. It
-- gives the position, and null without having done anything where the general way must decide.
CREATE FUNCTION event_store.append_one(
  to_stream text, expected integer, event_id uuid, event_type text, event_data json, event_metadata json
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  last bigint;
BEGIN
  -- The lock of append, for its reason.
  PERFORM pg_advisory_xact_lock(hashtextextended('event_store.append', 0));

  SELECT s.last_value + 1 INTO last FROM event_store.last_position s
  WHERE EXISTS (SELECT FROM event_store.partitions p WHERE p.from_position > s.last_value + 1);
  IF last IS NULL THEN
    RETURN NULL;
  END IF;

  IF expected = -1 THEN
    INSERT INTO event_store.streams (stream, revision, from_position, to_position)
    VALUES (to_stream, 0, last, last)
    ON CONFLICT DO NOTHING;
  ELSE
    UPDATE event_store.streams s SET revision = expected + 1, to_position = last
    WHERE s.stream = to_stream AND s.revision = expected;
  END IF;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;

  INSERT INTO event_store.events (position, stream, revision, id, type, data, metadata)
  VALUES (last, to_stream, expected + 1, event_id, event_type, event_data, event_metadata);
  PERFORM setval('event_store.last_position', last), pg_notify('event_store', '');
  RETURN last;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA event_store FROM PUBLIC;
`,
};
