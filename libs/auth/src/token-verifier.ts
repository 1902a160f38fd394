import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { openKeySet } from './key-set.js';
import { isRole, type Person, type Role, ROLES } from './principals.js';
import { KeysUnavailable, TokenRefused } from './token-refused.js';

export type TokenVerifierOptions = Readonly<{
  /** An https URL of a key set, or the path of a JWKS file. */
  jwks: URL | string;
  issuer: string;
  audience: string;
  now?: () => Date;
}>;

/** @throws TokenRefused naming claim and rule; KeysUnavailable when the keys cannot be had */
export type VerifyToken = (token: string) => Promise<Person>;

const ALGORITHMS = ['EdDSA', 'ES256', 'RS256'];
const TOKEN_CHARS_MAX = 8_192;
const SUBJECT = /^[\x21-\x7e]{1,128}$/;
const DEPARTMENTS_MAX = 100;
const DEPARTMENT_CHARS_MAX = 100;

/** Verifies access tokens (RFC 9068): pinned issuer and audience, fixed algorithms, `at+jwt`. */
export function createTokenVerifier(options: TokenVerifierOptions): VerifyToken {
  const keys = openKeySet(options.jwks);
  return async (token) => personOf(await verifiedClaims(token, keys, options));
}

async function verifiedClaims(
  token: string,
  keys: JWTVerifyGetKey,
  { issuer, audience, now }: TokenVerifierOptions,
): Promise<JWTPayload> {
  if (token.length > TOKEN_CHARS_MAX) {
    throw new TokenRefused('token', `must be at most ${String(TOKEN_CHARS_MAX)} characters`);
  }
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ALGORITHMS,
      audience,
      issuer,
      typ: 'at+jwt',
      requiredClaims: ['exp', 'sub'],
      ...(now === undefined ? {} : { currentDate: now() }),
    });
    return payload;
  } catch (error) {
    throw refusalOf(error);
  }
}

type ErrorClass = abstract new (...args: never[]) => Error;

const REFUSALS: readonly (readonly [ErrorClass, string, string])[] = [
  [errors.JWTExpired, 'exp', 'is in the past'],
  [errors.JOSEAlgNotAllowed, 'alg', `must be one of ${ALGORITHMS.join(', ')}`],
  [errors.JWSSignatureVerificationFailed, 'signature', 'does not verify'],
  [errors.JWKSNoMatchingKey, 'kid', 'must name a known key'],
  [errors.JWKSMultipleMatchingKeys, 'kid', 'must name one key'],
  [errors.JWSInvalid, 'token', 'must be a signed JWT'],
  [errors.JWTInvalid, 'token', 'must be a signed JWT'],
  [errors.JOSENotSupported, 'token', 'uses a feature that is not supported'],
];

function refusalOf(error: unknown): Error {
  if (error instanceof KeysUnavailable) return error;
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefusal(error);
  const known = REFUSALS.find(([type]) => error instanceof type);
  if (known !== undefined) return new TokenRefused(known[1], known[2]);
  return new KeysUnavailable('the key set could not be used', { cause: error });
}

function claimRefusal({ claim, reason }: errors.JWTClaimValidationFailed): TokenRefused {
  if (reason === 'missing') return new TokenRefused(claim, 'is required');
  const rules: Record<string, string> = {
    nbf: 'is in the future',
    aud: 'must name this service',
    iss: 'must be the configured issuer',
    typ: 'must be at+jwt',
  };
  return new TokenRefused(claim, rules[claim] ?? 'is not valid');
}

function personOf(claims: JWTPayload): Person {
  if (typeof claims.sub !== 'string' || !SUBJECT.test(claims.sub)) {
    throw new TokenRefused('sub', 'must be 1 to 128 printable characters without spaces');
  }
  return {
    kind: 'person',
    id: claims.sub,
    roles: rolesOf(claims['roles']),
    departments: departmentsOf(claims['departments']),
  };
}

function rolesOf(claim: unknown): readonly Role[] {
  const rule = `must be a list of ${ROLES.join(', ')}`;
  if (!Array.isArray(claim) || claim.length > ROLES.length) throw new TokenRefused('roles', rule);
  const roles: readonly unknown[] = claim;
  if (!roles.every(isRole)) throw new TokenRefused('roles', rule);
  return roles;
}

function departmentsOf(claim: unknown): readonly string[] {
  const rule = `must be a list of at most ${String(DEPARTMENTS_MAX)} names`;
  if (!Array.isArray(claim) || claim.length > DEPARTMENTS_MAX) {
    throw new TokenRefused('departments', rule);
  }
  const departments: readonly unknown[] = claim;
  if (!departments.every(isDepartment)) throw new TokenRefused('departments', rule);
  return departments;
}

function isDepartment(name: unknown): name is string {
  return typeof name === 'string' && name !== '' && name.length <= DEPARTMENT_CHARS_MAX;
}
