import type { Migration } from '@patchtrail/postgres';

/**
 * `json`, not `jsonb`: a log gives back what it was given, and jsonb refuses some strings that are
 * valid JSON. `committed` is the next offset to deliver.
 */
export const busMigrations: readonly Migration[] = [
  {
    name: 'bus-001-log',
    sql: `
      CREATE TABLE topics (
        name text PRIMARY KEY,
        partitions integer NOT NULL CHECK (partitions BETWEEN 1 AND 1000)
      );
      CREATE TABLE messages (
        topic text NOT NULL REFERENCES topics (name),
        partition integer NOT NULL,
        "offset" bigint NOT NULL,
        key text NOT NULL,
        attributes json NOT NULL,
        data json NOT NULL,
        published_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (topic, partition, "offset")
      );
      CREATE TABLE group_offsets (
        consumer_group text NOT NULL,
        topic text NOT NULL REFERENCES topics (name),
        partition integer NOT NULL,
        committed bigint NOT NULL,
        PRIMARY KEY (consumer_group, topic, partition)
      );`,
  },
  {
    // The owner's own function: roles that use the bus may not delete, but may ask for this.
    name: 'bus-002-retention',
    sql: `
      CREATE FUNCTION delete_consumed_messages(kept_seconds float, groups text[], their_topics text[])
      RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        WITH known AS (
          SELECT consumer_group, topic FROM group_offsets
          UNION SELECT * FROM unnest(groups, their_topics)
        ), partitions AS (
          SELECT t.name AS topic, p.partition, least(
              (SELECT max(m."offset") FROM messages m
                WHERE m.topic = t.name AND m.partition = p.partition),
              (SELECT coalesce(min(coalesce(o.committed, 0)), 0)
                 FROM known k LEFT JOIN group_offsets o
                   ON o.consumer_group = k.consumer_group AND o.topic = k.topic
                  AND o.partition = p.partition
                WHERE k.topic = t.name)) AS below
            FROM topics t CROSS JOIN LATERAL generate_series(0, t.partitions - 1) p(partition)
        ), oldest AS (
          SELECT p.topic, p.partition, m."offset"
            FROM partitions p CROSS JOIN LATERAL (
              SELECT "offset", published_at FROM messages m
               WHERE m.topic = p.topic AND m.partition = p.partition AND m."offset" < p.below
               ORDER BY m."offset" LIMIT 1000) m
           WHERE m.published_at < clock_timestamp()
                 - make_interval(secs => greatest(kept_seconds, 86400))
        ), deleted AS (
          DELETE FROM messages m USING oldest o
           WHERE m.topic = o.topic AND m.partition = o.partition AND m."offset" = o."offset"
          RETURNING 1
        )
        SELECT count(*) FROM deleted;
      $$;
      REVOKE ALL ON FUNCTION delete_consumed_messages FROM PUBLIC;`,
  },
];

/**
 * SQL that lets a role use the bus; what was published it can neither change nor delete, except for
 * what is old and consumed by everybody.
 */
export function busGrants(role: string): string {
  const name = `"${role.replaceAll('"', '""')}"`;
  return `
    GRANT SELECT, INSERT ON topics, messages TO ${name};
    GRANT SELECT, INSERT, UPDATE ON group_offsets TO ${name};
    GRANT EXECUTE ON FUNCTION delete_consumed_messages TO ${name};`;
}
