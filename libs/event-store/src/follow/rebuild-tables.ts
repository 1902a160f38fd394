import type { Sql } from '@patchtrail/postgres';
import type { ProjectedTable } from './projected-table.js';

/** Where the tables are that are read now, and where their copies are built. */
export type Schemas = Readonly<{ live: string; copy: string }>;

const CHECKPOINTS = 'checkpoints';

type Compared = { rows: string; digest: string | null };

/** What a rebuild did to a table. `differed`: the rows before were not those of the events. */
export type RebuiltTable = Readonly<{
  name: string;
  rowsBefore: number;
  rows: number;
  differed: boolean;
}>;

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function namesOf(tables: readonly ProjectedTable[]): readonly string[] {
  return tables.map(({ name }) => name);
}

function listed(schema: string, tables: readonly ProjectedTable[]): string {
  return namesOf(tables)
    .map((name) => `${quoted(schema)}.${quoted(name)}`)
    .join(', ');
}

/** Names without a schema mean the copies until the transaction ends, and nothing else. */
export async function useCopies(tx: Sql, { copy }: Schemas): Promise<void> {
  await tx.run(`SET LOCAL search_path = ${quoted(copy)}`);
}

export async function dropCopies(tx: Sql, { copy }: Schemas): Promise<void> {
  await tx.run(`DROP SCHEMA IF EXISTS ${quoted(copy)} CASCADE`);
}

/**
 * Empty copies of the tables, with their constraints and indexes under the names that these have,
 * and a table of checkpoints of their own. What an earlier rebuild left is dropped.
 */
export async function createCopies(
  tx: Sql,
  schemas: Schemas,
  tables: readonly ProjectedTable[],
): Promise<void> {
  const { live, copy } = schemas;
  await checkTables(tx, schemas, tables);
  await dropCopies(tx, schemas);
  await tx.run(`CREATE SCHEMA ${quoted(copy)}`);
  const statements = await statementsOf(tx, schemas, tables, CONSTRAINTS_AND_INDEXES);
  await useCopies(tx, schemas);
  for (const name of [...namesOf(tables), CHECKPOINTS]) {
    const like = `${quoted(live)}.${quoted(name)} INCLUDING ALL`;
    await tx.run(
      `CREATE TABLE ${quoted(name)} (LIKE ${like} EXCLUDING CONSTRAINTS EXCLUDING INDEXES)`,
    );
  }
  await tx.run(`ALTER TABLE ${CHECKPOINTS} ADD PRIMARY KEY (name)`);
  for (const statement of statements) await tx.run(statement);
}

/**
 * A trigger or a policy would be lost with the table that it belongs to, and a sequence counts what
 * was tried and rolled back as well: its numbers are not a function of the events.
 */
async function checkTables(
  tx: Sql,
  { live }: Schemas,
  tables: readonly ProjectedTable[],
): Promise<void> {
  const found = await tx.rows<{ name: string; plain: boolean }>(
    `SELECT r.relname AS name, r.relkind = 'r' AND NOT r.relrowsecurity AND NOT EXISTS
              (SELECT FROM pg_trigger t WHERE t.tgrelid = r.oid AND NOT t.tgisinternal)
            AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_class s ON s.oid = d.objid
                             WHERE d.refobjid = r.oid AND s.relkind = 'S') AS plain
       FROM pg_class r WHERE r.relnamespace = to_regnamespace($1) AND r.relname = ANY($2)`,
    [quoted(live), namesOf(tables)],
  );
  const plain = new Map(found.map((row) => [row.name, row.plain]));
  for (const name of namesOf(tables)) {
    if (plain.get(name) === undefined) throw new Error(`There is no table ${live}.${name}.`);
    if (plain.get(name) === false) {
      throw new Error(
        `${live}.${name} cannot be rebuilt: it has triggers, policies, sequences or partitions.`,
      );
    }
  }
}

/** The owners and grants of the tables: last, for who only reads them may not reach the copies. */
export async function giveRights(
  tx: Sql,
  schemas: Schemas,
  tables: readonly ProjectedTable[],
): Promise<void> {
  const statements = await statementsOf(tx, schemas, tables, OWNERS_AND_GRANTS);
  await useCopies(tx, schemas);
  for (const statement of statements) await tx.run(statement);
}

async function statementsOf(
  tx: Sql,
  { live }: Schemas,
  tables: readonly ProjectedTable[],
  query: string,
): Promise<readonly string[]> {
  await tx.run(`SET LOCAL search_path = ${quoted(live)}`);
  const rows = await tx.rows<{ statement: string }>(query, [quoted(live), namesOf(tables)]);
  return rows.map(({ statement }) => statement);
}

const RELATIONS = `
  WITH relation AS (
    SELECT r.* FROM pg_class r
     WHERE r.relnamespace = to_regnamespace($1) AND r.relname = ANY($2)
  )`;

/**
 * As the server writes them: without a schema for what is on the path. Foreign keys come last, for
 * they need the keys that they refer to.
 */
const CONSTRAINTS_AND_INDEXES = `${RELATIONS}
  SELECT statement FROM (
    SELECT CASE c.contype WHEN 'f' THEN 3 ELSE 1 END AS step,
           format('ALTER TABLE %I ADD CONSTRAINT %I %s', r.relname, c.conname,
                  pg_get_constraintdef(c.oid)) AS statement
      FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid
     WHERE c.contype IN ('p', 'u', 'x', 'c', 'f')
    UNION ALL
    SELECT 2, pg_get_indexdef(i.indexrelid, 0, true)
      FROM pg_index i JOIN relation r ON r.oid = i.indrelid
     WHERE NOT EXISTS (SELECT FROM pg_constraint c
                        WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid)
  ) all_statements ORDER BY step, statement`;

const OWNERS_AND_GRANTS = `${RELATIONS}, granted AS (
    SELECT r.relname, r.relowner, '' AS columns, a.* FROM relation r, aclexplode(r.relacl) a
    UNION ALL
    SELECT r.relname, r.relowner, format(' (%I)', c.attname), a.*
      FROM relation r JOIN pg_attribute c ON c.attrelid = r.oid, aclexplode(c.attacl) a
  )
  SELECT statement FROM (
    SELECT 1 AS step, format('GRANT %s%s ON %I TO %s%s', privilege_type, columns, relname,
                     CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
                     CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
      FROM granted WHERE grantee <> relowner
    UNION ALL
    SELECT 2, format('ALTER TABLE %I OWNER TO %I', r.relname, pg_get_userbyid(r.relowner))
      FROM relation r WHERE pg_get_userbyid(r.relowner) <> current_user
  ) all_statements ORDER BY step, statement`;

/** Counts and compares what the events say about the rows; readers are not held up. */
export async function compareTables(
  tx: Sql,
  { live, copy }: Schemas,
  tables: readonly ProjectedTable[],
): Promise<readonly RebuiltTable[]> {
  const compared: RebuiltTable[] = [];
  for (const table of tables) {
    const columns = await comparedColumns(tx, live, table);
    const before = await digestOf(tx, live, table, columns);
    const after = await digestOf(tx, copy, table, columns);
    compared.push({
      name: table.name,
      rowsBefore: Number(before.rows),
      rows: Number(after.rows),
      differed: before.rows !== after.rows || before.digest !== after.digest,
    });
  }
  return compared;
}

async function comparedColumns(
  tx: Sql,
  schema: string,
  { name, kept }: ProjectedTable,
): Promise<string> {
  const rows = await tx.rows<{ column: string }>(
    `SELECT attname AS column FROM pg_attribute
      WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attname <> ALL($2)
      ORDER BY attnum`,
    [`${quoted(schema)}.${quoted(name)}`, kept?.columns ?? []],
  );
  return rows.map(({ column }) => quoted(column)).join(', ');
}

async function digestOf(
  tx: Sql,
  schema: string,
  { name }: ProjectedTable,
  columns: string,
): Promise<Compared> {
  // A sum over the rows, so that their order does not count.
  const [row] = await tx.rows<Compared>(
    `SELECT count(*)::text AS rows, sum(hashtextextended(ROW(${columns})::text, 0))::text AS digest
       FROM ${quoted(schema)}.${quoted(name)}`,
  );
  if (row === undefined) throw new Error(`${schema}.${name} could not be counted.`);
  return row;
}

/** Takes over what no event tells, as far as it is not there already. */
export async function takeOverKept(
  tx: Sql,
  { live, copy }: Schemas,
  tables: readonly ProjectedTable[],
): Promise<void> {
  for (const { name, kept } of tables) {
    if (kept === undefined) continue;
    const [columns, values] = ['', 'was.'].map((prefix) =>
      kept.columns.map((column) => `${prefix}${quoted(column)}`).join(', '),
    );
    const mine = kept.columns.map((column) => `now_is.${quoted(column)}`).join(', ');
    const same = kept.of.map((column) => `now_is.${quoted(column)} = was.${quoted(column)}`);
    await tx.run(
      `UPDATE ${quoted(copy)}.${quoted(name)} now_is SET (${columns}) = ROW(${values})
         FROM ${quoted(live)}.${quoted(name)} was
        WHERE ${same.join(' AND ')} AND ROW(${mine}) IS DISTINCT FROM ROW(${values})`,
    );
  }
}

export async function lockTables(
  tx: Sql,
  { live }: Schemas,
  tables: readonly ProjectedTable[],
): Promise<void> {
  await tx.run(`LOCK TABLE ${listed(live, tables)} IN ACCESS EXCLUSIVE MODE`);
}

/** The copies take the place of the tables. Whatever else hangs on a table makes this fail. */
export async function replaceTables(
  tx: Sql,
  { live, copy }: Schemas,
  tables: readonly ProjectedTable[],
): Promise<void> {
  await tx.run(`DROP TABLE ${listed(live, tables)}`);
  for (const name of namesOf(tables)) {
    await tx.run(`ALTER TABLE ${quoted(copy)}.${quoted(name)} SET SCHEMA ${quoted(live)}`);
  }
  await tx.run(`DROP TABLE ${quoted(copy)}.${CHECKPOINTS}`);
  await tx.run(`DROP SCHEMA ${quoted(copy)}`);
}

/** The planner knows nothing yet of tables that are new. */
export async function analyzeCopies(
  sql: Sql,
  { copy }: Schemas,
  tables: readonly ProjectedTable[],
): Promise<void> {
  await sql.run(`ANALYZE ${listed(copy, tables)}`);
}
