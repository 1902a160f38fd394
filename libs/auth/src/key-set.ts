import { readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  type CompactJWSHeaderParameters,
  createLocalJWKSet,
  createRemoteJWKSet,
  type FlattenedJWSInput,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from 'jose';
import { KeysUnavailable } from './token-refused.js';

const JWKS_BYTES_MAX = 65_536;
const KEYS_MAX = 32;
const REMOTE_TIMEOUT_MS = 5_000;
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Keys from a file, which is read again whenever it has changed, or from a URL with its own cache.
 * A remote set must be https, unless it is on this host.
 */
export function openKeySet(jwks: URL | string): JWTVerifyGetKey {
  if (typeof jwks === 'string') return fileKeySet(jwks);
  if (jwks.protocol === 'file:') return fileKeySet(fileURLToPath(jwks));
  const secure = jwks.protocol === 'https:';
  if (!secure && !(jwks.protocol === 'http:' && LOOPBACK.includes(jwks.hostname))) {
    throw new KeysUnavailable('the URL must be https, or http on the loopback interface');
  }
  return createRemoteJWKSet(jwks, { timeoutDuration: REMOTE_TIMEOUT_MS });
}

function fileKeySet(path: string): JWTVerifyGetKey {
  let seen = '';
  let keys: JWTVerifyGetKey | null = null;
  return async (header: CompactJWSHeaderParameters, token: FlattenedJWSInput) => {
    const version = await versionOf(path);
    if (keys === null || version !== seen) {
      keys = createLocalJWKSet(await readKeys(path));
      seen = version;
    }
    return keys(header, token);
  };
}

async function versionOf(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    if (size > JWKS_BYTES_MAX) {
      throw new KeysUnavailable(`the file is larger than ${String(JWKS_BYTES_MAX)} bytes`);
    }
    return `${String(ino)}:${String(size)}:${String(mtimeMs)}`;
  } catch (error) {
    if (error instanceof KeysUnavailable) throw error;
    throw new KeysUnavailable('the file cannot be read', { cause: error });
  }
}

async function readKeys(path: string): Promise<JSONWebKeySet> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new KeysUnavailable('the file is not readable JSON', { cause: error });
  }
  if (!isKeySet(parsed)) {
    throw new KeysUnavailable(`the file must hold {"keys": [1 to ${String(KEYS_MAX)} keys]}`);
  }
  return parsed;
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  if (typeof value !== 'object' || value === null || !('keys' in value)) return false;
  const { keys } = value;
  if (!Array.isArray(keys) || keys.length < 1 || keys.length > KEYS_MAX) return false;
  return keys.every(
    (key: unknown) =>
      typeof key === 'object' && key !== null && 'kty' in key && typeof key.kty === 'string',
  );
}
