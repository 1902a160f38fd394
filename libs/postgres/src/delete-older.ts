import type { Sql } from './sql.js';

const BATCH = 1_000;

/**
 * Deletes up to 1,000 rows from before an instant, oldest first, and passes over those that
 * somebody holds; how many it deleted. Names of table and column are written into the statement.
 */
export async function deleteOlder(
  db: Sql,
  { table, column }: Readonly<{ table: string; column: string }>,
  before: Date,
): Promise<number> {
  return db.run(
    `DELETE FROM ${table} WHERE ctid IN (
       SELECT ctid FROM ${table} WHERE ${column} < $1
       ORDER BY ${column} LIMIT $2 FOR UPDATE SKIP LOCKED)`,
    [before, BATCH],
  );
}
