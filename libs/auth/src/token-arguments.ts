import { TOKEN_TTL_SECONDS_MAX, type TokenRequest } from './local-issuer.js';
import { isRole, ROLES } from './principals.js';

export const TOKEN_USAGE = `patchtrail-token --dir <folder of the key> --sub <who> [--role <role>]… [--department <name>]… [--ttl <seconds>]
Prints an access token. Roles: ${ROLES.join(', ')}. Without --department it covers all of them.
It is good for ${String(TOKEN_TTL_SECONDS_MAX)} seconds at most, and that long unless --ttl says otherwise.`;

export type TokenArguments = Readonly<{
  dir?: string | undefined;
  sub?: string | undefined;
  role?: readonly string[] | undefined;
  department?: readonly string[] | undefined;
  ttl?: string | undefined;
}>;

/** @throws Error naming the option and its rule */
export function readTokenArguments(given: TokenArguments): TokenRequest & { dir: string } {
  const { dir, sub, role = [], department = ['*'], ttl } = given;
  if (dir === undefined || dir === '') throw new Error('--dir: is required');
  if (sub === undefined || !/^[\x21-\x7e]{1,128}$/.test(sub)) {
    throw new Error('--sub: must be 1 to 128 printable characters without spaces');
  }
  const roles = role.filter(isRole);
  if (roles.length !== role.length) throw new Error(`--role: must be one of ${ROLES.join(', ')}`);
  if (department.includes('')) throw new Error('--department: must not be empty');
  return {
    dir,
    sub,
    roles: [...new Set(roles)],
    departments: department,
    ttlSeconds: seconds(ttl),
  };
}

function seconds(text: string | undefined): number {
  if (text === undefined) return TOKEN_TTL_SECONDS_MAX;
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > TOKEN_TTL_SECONDS_MAX) {
    throw new Error(`--ttl: must be 1 to ${String(TOKEN_TTL_SECONDS_MAX)} seconds`);
  }
  return value;
}
