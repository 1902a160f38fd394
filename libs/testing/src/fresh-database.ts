import { type DatabaseSpec, provision, type Provisioned } from '@patchtrail/postgres';
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { offerUrl } from './config.js';

export type FreshDatabase = {
  /** As administrator, to the new database. */
  readonly url: string;
  /** To the server's own administrative database. */
  readonly adminUrl: string;
  drop(): Promise<void>;
};

/** By the database names asked for; the real names differ, so that specs can run side by side. */
export type FreshProvisioned = {
  readonly databases: ReadonlyMap<string, Provisioned>;
  readonly adminUrl: string;
  drop(): Promise<void>;
};

// The first one on a busy host initializes a server, and may copy it first.
const START_TIMEOUT_MS = 120_000;

/** The administrator's URL on the run's PostgreSQL, which is started by the first call. */
export async function testServerUrl(): Promise<string> {
  const response = await fetch(offerUrl(), { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
  const text = await response.text();
  if (!response.ok) throw new Error(`No PostgreSQL for this spec: ${text}`);
  return text;
}

async function asAdmin(adminUrl: string, statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: adminUrl, connectionTimeoutMillis: 10_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

function unique(name: string): string {
  if (!/^[a-z][a-z0-9_]{0,40}$/.test(name))
    throw new Error(`Database name "${name}" must be up to 41 of a-z, 0-9 and underscores.`);
  return `${name}_${randomBytes(6).toString('hex')}`;
}

/** An empty database. Drop it in `afterAll` or `afterEach`; open connections are cut. */
export async function freshDatabase(name = 'spec'): Promise<FreshDatabase> {
  const adminUrl = await testServerUrl();
  const database = unique(name);
  await asAdmin(adminUrl, [
    `CREATE DATABASE ${database} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C'`,
  ]);
  const url = new URL(adminUrl);
  url.pathname = `/${database}`;
  return {
    url: url.href,
    adminUrl,
    drop: () => asAdmin(adminUrl, [`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`]),
  };
}

/** Databases with roles of their own, as the product has them. */
export async function freshProvisioned(specs: readonly DatabaseSpec[]): Promise<FreshProvisioned> {
  const adminUrl = await testServerUrl();
  const roles = new Map(specs.map(({ role }) => [role, unique(role)] as const));
  const renamed = specs.map((spec) => ({
    ...spec,
    asked: spec.database,
    database: unique(spec.database),
    role: roles.get(spec.role) ?? spec.role,
  }));
  const made = await provision(adminUrl, renamed);
  const databases = new Map<string, Provisioned>();
  for (const { asked, database } of renamed) {
    const urls = made.get(database);
    if (urls) databases.set(asked, urls);
  }
  return {
    databases,
    adminUrl,
    drop: () =>
      asAdmin(adminUrl, [
        ...renamed.map(({ database }) => `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`),
        ...[...roles.values()].map((role) => `DROP ROLE IF EXISTS ${role}`),
      ]),
  };
}
