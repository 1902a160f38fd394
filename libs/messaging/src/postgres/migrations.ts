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
];

/** SQL that lets a role use the bus; what was published it can neither change nor delete. */
export function busGrants(role: string): string {
  const name = `"${role.replaceAll('"', '""')}"`;
  return `
    GRANT SELECT, INSERT ON topics, messages TO ${name};
    GRANT SELECT, INSERT, UPDATE ON group_offsets TO ${name};`;
}
