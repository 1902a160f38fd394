import { randomUUID } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import type { Role } from './principals.js';

export const LOCAL_ISSUER = 'urn:patchtrail:local-issuer';
export const LOCAL_AUDIENCE = 'urn:patchtrail:api';
export const TOKEN_TTL_SECONDS_MAX = 3_600;

export type TokenRequest = Readonly<{
  sub: string;
  roles: readonly Role[];
  departments: readonly string[];
  /** 1 to 3,600 seconds. */
  ttlSeconds: number;
}>;

export type LocalIssuer = Readonly<{
  /** The path of the public key set, for `createTokenVerifier`. */
  jwks: string;
  issuer: string;
  audience: string;
  mint: (request: TokenRequest) => Promise<string>;
}>;

type SigningKey = JWK & { kty: 'OKP'; kid: string; d: string; x: string; crv: string };

/**
 * Tokens for a product that has no identity provider yet: an Ed25519 key in `dir`, readable by its
 * owner alone. The key is made on first use; two processes that start at once end with one key.
 */
export async function createLocalIssuer(
  dir: string,
  now: () => Date = () => new Date(),
): Promise<LocalIssuer> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const keyPath = join(dir, 'issuer-key.json');
  const jwks = join(dir, 'jwks.json');
  await ensureKey(keyPath);
  const key = await readKey(keyPath);
  await publish(jwks, key);
  const signer = await importJWK(key, 'EdDSA');
  return {
    jwks,
    issuer: LOCAL_ISSUER,
    audience: LOCAL_AUDIENCE,
    mint: async ({ sub, roles, departments, ttlSeconds }) => {
      if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > TOKEN_TTL_SECONDS_MAX) {
        throw new Error(`ttlSeconds: must be 1 to ${String(TOKEN_TTL_SECONDS_MAX)}`);
      }
      const issuedAt = Math.floor(now().getTime() / 1_000);
      return new SignJWT({ roles: [...roles], departments: [...departments] })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: key.kid })
        .setIssuer(LOCAL_ISSUER)
        .setAudience(LOCAL_AUDIENCE)
        .setSubject(sub)
        .setJti(randomUUID())
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + ttlSeconds)
        .sign(signer);
    },
  };
}

async function ensureKey(path: string): Promise<void> {
  if (await exists(path)) return;
  const { privateKey } = await generateKeyPair('EdDSA', { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), kid: randomUUID(), alg: 'EdDSA', use: 'sig' };
  const draft = `${path}.${randomUUID()}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(JSON.stringify(jwk));
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // A link never replaces: whoever comes second keeps the key that is there.
    await link(draft, path);
  } catch (error) {
    if (!(await exists(path))) throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function readKey(path: string): Promise<SigningKey> {
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    throw new Error(`${path}: must be readable by its owner only (chmod 600)`);
  }
  let key: unknown;
  try {
    key = JSON.parse(await readFile(path, 'utf8'));
  } catch {
    throw new Error(`${path}: must hold a JSON Web Key`);
  }
  if (!isSigningKey(key)) throw new Error(`${path}: must hold a private Ed25519 key with a kid`);
  return key;
}

function isSigningKey(value: unknown): value is SigningKey {
  if (typeof value !== 'object' || value === null) return false;
  const key = new Map<string, unknown>(Object.entries(value));
  const textual = ['kid', 'd', 'x'].every((name) => typeof key.get(name) === 'string');
  return textual && key.get('kty') === 'OKP' && key.get('crv') === 'Ed25519';
}

async function publish(path: string, { kty, crv, x, kid }: SigningKey): Promise<void> {
  const text = JSON.stringify({ keys: [{ kty, crv, x, kid, alg: 'EdDSA', use: 'sig' }] });
  const current = await readFile(path, 'utf8').catch(() => null);
  if (current === text) return;
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, text);
  await chmod(draft, 0o644);
  await rename(draft, path);
}
