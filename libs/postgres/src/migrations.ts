import { createHash } from 'node:crypto';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** `name` is unique within a database and never reused, for instance `discovery-001-endpoints`. */
export type Migration = { readonly name: string; readonly sql: string };

/** `record` is the row that TypeORM keeps: name, digest of the SQL and place in the order. */
export type PlannedMigration = { readonly record: string; readonly sql: string };

/** TypeORM orders by the last 13 characters of a migration's name, read as a number. */
const FIRST_PLACE = 1_000_000_000_000;
const RECORD = /^(?<name>[a-z0-9-]+)\.(?<digest>[0-9a-f]{16})\.(?<place>\d{13})$/;

function digestOf(sql: string): string {
  return createHash('sha256').update(sql).digest('hex').slice(0, 16);
}

function parseRecord(record: string): { name: string; digest: string; place: number } {
  const groups = RECORD.exec(record)?.groups;
  if (!groups) throw new Error(`The migration record ${record} was not written by this program.`);
  return {
    name: groups['name'] ?? '',
    digest: groups['digest'] ?? '',
    place: Number(groups['place']),
  };
}

function checkNames(given: readonly Migration[]): void {
  const seen = new Set<string>();
  for (const { name } of given) {
    if (!/^[a-z0-9-]{1,120}$/.test(name))
      throw new Error(`Migration name "${name}" must be 1 to 120 of a-z, 0-9 and dashes.`);
    if (seen.has(name)) throw new Error(`Migration ${name} is listed twice.`);
    seen.add(name);
  }
}

/**
 * What TypeORM is to know: applied migrations under the record they were applied as, new ones
 * behind every applied one in the given order. Lists of several libraries are joined by services,
 * so a new migration may stand between applied ones; it still runs last.
 */
export function planMigrations(
  applied: readonly string[],
  given: readonly Migration[],
): PlannedMigration[] {
  checkNames(given);
  const byName = new Map(applied.map((record) => [parseRecord(record).name, record]));
  const known = new Set(given.map(({ name }) => name));
  for (const name of byName.keys()) {
    if (!known.has(name))
      throw new Error(
        `Migration ${name} was applied to this database and is missing from this program.`,
      );
  }
  let place = Math.max(FIRST_PLACE - 1, ...applied.map((record) => parseRecord(record).place));
  return given.map(({ name, sql }) => {
    const record = byName.get(name);
    if (record === undefined) return { record: `${name}.${digestOf(sql)}.${String(++place)}`, sql };
    if (parseRecord(record).digest !== digestOf(sql))
      throw new Error(`Migration ${name} was changed after it had been applied to this database.`);
    return { record, sql };
  });
}

export function migrationClass({ record, sql }: PlannedMigration): new () => MigrationInterface {
  return class implements MigrationInterface {
    readonly name = record;

    async up(runner: QueryRunner): Promise<void> {
      await runner.query("SET LOCAL statement_timeout = '10min'");
      await runner.query(sql);
    }

    down(): Promise<void> {
      return Promise.reject(new Error('Migrations are forward-only.'));
    }
  };
}
