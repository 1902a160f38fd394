import { join } from 'node:path';
import { createLocalIssuer } from '@patchtrail/auth';
import { ConfigError } from '@patchtrail/platform';
import { DATABASE_VARIABLES, type StandaloneConfig } from '../config.js';
import { BUS, databaseOf, EVENT_STORE, provisionDatabases } from '../databases.js';
import { SERVICE_NAMES } from '../services.js';

export type SetUp = Readonly<{
  databases: readonly string[];
  /** The public key set of the local issuer; `null` where another one's tokens are taken. */
  issuer: string | null;
}>;

/**
 * What the processes of an installation find there: on the server of `DATABASE_URL` every database
 * that a URL names, with the role and the password of that URL, and the key of the local issuer.
 * @throws ConfigError
 */
export async function setUp(config: StandaloneConfig): Promise<SetUp> {
  const { databaseUrl: adminUrl } = config;
  if (adminUrl === null) throw broken('DATABASE_URL', 'must be the URL of an administrator');
  const passwords = passwordsOf(config, new URL(adminUrl));
  const databases = [...passwords.keys()];
  if (databases.length === 0) throw broken('DISCOVERY_DATABASE_URL', 'or another one must be set');
  await provisionDatabases(adminUrl, databases, passwords);
  if (config.auth !== null) return { databases, issuer: null };
  const { jwks } = await createLocalIssuer(join(config.dataDir, 'issuer'));
  return { databases, issuer: jwks };
}

/** By database, whose role has the same name. */
function passwordsOf(config: StandaloneConfig, admin: URL): ReadonlyMap<string, string> {
  const { busUrl, eventStoreUrl, databaseUrls } = config;
  const isPostgres = eventStoreUrl?.startsWith('postgres') === true;
  const named = [
    ...SERVICE_NAMES.map((service) => {
      const url = databaseUrls.get(service) ?? null;
      return [databaseOf(service), DATABASE_VARIABLES[service], url] as const;
    }),
    [BUS, 'BUS_DATABASE_URL', busUrl] as const,
    [EVENT_STORE, 'EVENT_STORE_URL', isPostgres ? eventStoreUrl : null] as const,
  ];
  return new Map(
    named.flatMap(([name, variable, url]) => {
      return url === null ? [] : [[name, passwordIn(new URL(url), name, variable, admin)] as const];
    }),
  );
}

function passwordIn(url: URL, name: string, variable: string, admin: URL): string {
  if (url.username !== name || url.pathname !== `/${name}` || url.password === '') {
    throw broken(variable, `must name the role ${name}, a password and the database ${name}`);
  }
  const isOnServer = url.hostname === admin.hostname && portOf(url) === portOf(admin);
  if (!isOnServer) throw broken(variable, 'must be on the server of DATABASE_URL');
  return decodeURIComponent(url.password);
}

function portOf({ port }: URL): string {
  return port === '' ? '5432' : port;
}

function broken(variable: string, rule: string): ConfigError {
  return new ConfigError([{ variable, rule }]);
}
