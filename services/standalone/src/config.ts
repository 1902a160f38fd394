import { join, resolve } from 'node:path';
import type { TokenVerifierOptions } from '@patchtrail/auth';
import { ConfigError, readConfig } from '@patchtrail/platform';
import { type Static, Type } from '@sinclair/typebox';

const CHOICES = ['auto', 'embedded', 'installed'] as const;

const Environment = Type.Object({
  /** An administrator's URL; without it a server of its own is started. */
  DATABASE_URL: Type.Optional(Type.String({ pattern: '^postgres(ql)?://' })),
  PATCHTRAIL_POSTGRES: Type.Optional(Type.String({ pattern: `^(${CHOICES.join('|')})$` })),
  PATCHTRAIL_DATA_DIR: Type.Optional(Type.String({ minLength: 1 })),
  /** An address or a host name. */
  PATCHTRAIL_HOST: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9.:-]{1,253}$' })),
  PATCHTRAIL_PORT: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
  /** File or https URL of the key set that tokens are verified with; needs the next two. */
  AUTH_JWKS: Type.Optional(Type.String({ minLength: 1 })),
  AUTH_ISSUER: Type.Optional(Type.String({ minLength: 1 })),
  AUTH_AUDIENCE: Type.Optional(Type.String({ minLength: 1 })),
});

export type StandaloneConfig = Readonly<{
  databaseUrl: string | null;
  postgres: 'auto' | 'embedded' | 'installed';
  dataDir: string;
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** `null`: tokens of the local issuer. */
  auth: TokenVerifierOptions | null;
}>;

/** @throws ConfigError naming each variable and the rule it breaks, never its value */
export function standaloneConfig(
  env: Readonly<Record<string, string | undefined>> = process.env,
): StandaloneConfig {
  const read = readConfig(env, Environment);
  if (read.DATABASE_URL !== undefined) parsedUrl('DATABASE_URL', read.DATABASE_URL);
  return Object.freeze({
    databaseUrl: read.DATABASE_URL ?? null,
    postgres: CHOICES.find((choice) => choice === read.PATCHTRAIL_POSTGRES) ?? 'auto',
    dataDir: resolve(read.PATCHTRAIL_DATA_DIR ?? join(process.cwd(), '.patchtrail')),
    host: read.PATCHTRAIL_HOST ?? '127.0.0.1',
    port: read.PATCHTRAIL_PORT ?? 8080,
    auth: authOf(read),
  });
}

function authOf(read: Static<typeof Environment>): TokenVerifierOptions | null {
  const { AUTH_JWKS: jwks, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = read;
  if (jwks === undefined && issuer === undefined && audience === undefined) return null;
  if (jwks === undefined || issuer === undefined || audience === undefined) {
    const rule = 'AUTH_JWKS, AUTH_ISSUER and AUTH_AUDIENCE are set together or not at all';
    throw new ConfigError([{ variable: 'AUTH_JWKS', rule }]);
  }
  return { jwks: keySetOf(jwks), issuer, audience };
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** Keys that come over a network in the clear could be anybody's. */
function keySetOf(text: string): URL | string {
  if (!/^[a-z][a-z0-9+.-]*:/i.test(text)) return resolve(text);
  const url = parsedUrl('AUTH_JWKS', text);
  const isLoopback = url.protocol === 'http:' && LOOPBACK.includes(url.hostname);
  if (url.protocol === 'https:' || isLoopback) return url;
  const rule = 'must be a path, an https URL, or an http URL on the loopback interface';
  throw new ConfigError([{ variable: 'AUTH_JWKS', rule }]);
}

function parsedUrl(variable: string, text: string): URL {
  const url = URL.parse(text);
  if (url !== null) return url;
  throw new ConfigError([{ variable, rule: 'must be a valid URL' }]);
}
