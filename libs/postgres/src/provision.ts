import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { asSqlError } from './sql.js';

/** Names are 1 to 63 of a-z, 0-9 and underscores, beginning with a letter. */
export type DatabaseSpec = {
  readonly database: string;
  readonly role: string;
  /** True: the role owns the public schema and makes its tables and schemas. False: it gets explicit grants. */
  readonly ownsSchema: boolean;
  /** The role's; a new one, kept nowhere, unless given. */
  readonly password?: string;
};

/** `url` connects as the role, `ownerUrl` to the same database as the administrator. */
export type Provisioned = { readonly url: string; readonly ownerUrl: string };

type Rights = { super: boolean; databases: boolean; roles: boolean; version: number };

const STATEMENT_TIMEOUT_MS = 60_000;

async function connected<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({
    connectionString: url,
    application_name: 'patchtrail provision',
    connectionTimeoutMillis: 10_000,
    statement_timeout: STATEMENT_TIMEOUT_MS,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw asSqlError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Names go into statements that take no parameters, so nothing that needs quoting is let in. */
function checkSpecs(specs: readonly DatabaseSpec[]): void {
  const databases = new Set<string>();
  for (const { database, role } of specs) {
    for (const [field, name] of Object.entries({ database, role }))
      if (!/^[a-z][a-z0-9_]{0,62}$/.test(name))
        throw new Error(
          `${field} "${name}" must be 1 to 63 of a-z, 0-9 and underscores, beginning with a letter.`,
        );
    if (databases.has(database)) throw new Error(`database "${database}" is listed twice.`);
    databases.add(database);
  }
}

async function rightsOf(client: Client): Promise<Rights> {
  const { rows } = await client.query<Rights>(
    `SELECT rolsuper AS super, rolcreatedb AS databases, rolcreaterole AS roles,
            current_setting('server_version_num')::int AS version
     FROM pg_roles WHERE rolname = current_user`,
  );
  const [rights] = rows;
  if (!rights) throw new Error('The server does not say which rights this account has.');
  if (rights.super) return rights;
  if (!rights.databases || !rights.roles)
    throw new Error(
      'The account of the database URL must be a superuser or have CREATEDB and CREATEROLE.',
    );
  if (rights.version < 150_000)
    throw new Error('Before PostgreSQL 15 the account of the database URL must be a superuser.');
  return rights;
}

async function exists(client: Client, query: string, name: string): Promise<boolean> {
  return (await client.query(query, [name])).rows.length > 0;
}

async function prepareRole(
  client: Client,
  role: string,
  password: string,
  rights: Rights,
): Promise<void> {
  const { rows } = await client.query<{ strong: boolean }>(
    `SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls AS strong
     FROM pg_roles WHERE rolname = $1`,
    [role],
  );
  if (rows[0]?.strong === true)
    throw new Error(
      `role "${role}" exists with administrative rights; it must be an ordinary one.`,
    );
  if (rows.length === 0) await client.query(`CREATE ROLE ${role}`);
  await client.query(`ALTER ROLE ${role} LOGIN PASSWORD ${client.escapeLiteral(password)}`);
  // Only a member can hand a schema over to a role; a superuser counts as one.
  if (!rights.super) await client.query(`GRANT ${role} TO CURRENT_USER`);
}

async function prepareDatabase(
  client: Client,
  { database, role, ownsSchema }: DatabaseSpec,
): Promise<void> {
  if (!(await exists(client, 'SELECT 1 FROM pg_database WHERE datname = $1', database)))
    await client.query(
      `CREATE DATABASE ${database} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C'`,
    );
  await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
  // Whoever makes its tables may also build them again beside themselves.
  const rights = ownsSchema ? 'CONNECT, TEMPORARY, CREATE' : 'CONNECT, TEMPORARY';
  await client.query(`GRANT ${rights} ON DATABASE ${database} TO ${role}`);
}

async function prepareSchema(ownerUrl: string, { role, ownsSchema }: DatabaseSpec): Promise<void> {
  await connected(ownerUrl, async (client) => {
    await client.query(`ALTER SCHEMA public OWNER TO ${ownsSchema ? role : 'CURRENT_USER'}`);
    await client.query('REVOKE ALL ON SCHEMA public FROM PUBLIC');
    if (!ownsSchema) await client.query(`GRANT USAGE ON SCHEMA public TO ${role}`);
  });
}

function urlOf(
  adminUrl: string,
  database: string,
  login?: { role: string; password: string },
): string {
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  if (login) {
    url.username = login.role;
    url.password = encodeURIComponent(login.password);
  }
  return url.href;
}

/**
 * Databases and roles, made where they are missing; running it again changes only the passwords,
 * which are new each time and kept nowhere unless given. A role can connect to databases listed
 * with it and to no other one listed. Errors name the field and rule, or the right that is missing.
 */
export async function provision(
  adminUrl: string,
  specs: readonly DatabaseSpec[],
): Promise<ReadonlyMap<string, Provisioned>> {
  checkSpecs(specs);
  const passwords = new Map(
    specs.map(({ role, password }) => {
      return [role, password ?? randomBytes(24).toString('base64url')] as const;
    }),
  );
  await connected(adminUrl, async (client) => {
    const rights = await rightsOf(client);
    await client.query("SELECT pg_advisory_lock(hashtextextended('patchtrail provision', 0))");
    for (const [role, password] of passwords) await prepareRole(client, role, password, rights);
    for (const spec of specs) {
      await prepareDatabase(client, spec);
      await prepareSchema(urlOf(adminUrl, spec.database), spec);
    }
  });
  return new Map(
    specs.map(({ database, role }) => {
      const login = { role, password: passwords.get(role) ?? '' };
      const url = urlOf(adminUrl, database, login);
      return [database, { url, ownerUrl: urlOf(adminUrl, database) }] as const;
    }),
  );
}
