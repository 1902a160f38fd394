import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT, UnsecuredJWT } from 'jose';
import { createTokenVerifier, KeysUnavailable, TokenRefused } from './index.js';

const issuer = 'https://issuer.example';
const audience = 'urn:patchtrail:api';
const now = new Date('2026-11-21T09:00:00Z');
const seconds = now.getTime() / 1_000;

type Keys = { privateKey: CryptoKey; jwk: JWK };
const makeKeys = async (alg: string, kid: string): Promise<Keys> => {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
};

let dir: string;
let file: string;
let keys: Keys;
let stranger: Keys;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'patchtrail-auth-'));
  file = join(dir, 'jwks.json');
  keys = await makeKeys('EdDSA', 'k1');
  stranger = await makeKeys('EdDSA', 'k1');
  await writeFile(file, JSON.stringify({ keys: [keys.jwk] }));
});
afterAll(() => rm(dir, { recursive: true }));

const claims = {
  iss: issuer,
  aud: audience,
  sub: 'pat',
  exp: seconds + 60,
  roles: ['approver'],
  departments: ['Finance'],
};
const header = { alg: 'EdDSA', typ: 'at+jwt', kid: 'k1' };

type Mutation = {
  claims?: Record<string, unknown>;
  header?: Record<string, string>;
  by?: CryptoKey;
};

async function sign(mutation: Mutation = {}): Promise<string> {
  return new SignJWT({ ...claims, ...mutation.claims })
    .setProtectedHeader({ ...header, ...mutation.header })
    .sign(mutation.by ?? keys.privateKey);
}

const verify = (token: string, jwks: URL | string = file) =>
  createTokenVerifier({ jwks, issuer, audience, now: () => now })(token);

async function refusal(token: string): Promise<string> {
  const outcome: unknown = await verify(token).catch((error: unknown) => error);
  if (!(outcome instanceof TokenRefused)) throw new Error('The token was not refused.');
  const [head = '', payload = '', signature = ''] = token.split('.');
  for (const part of [head, payload, signature].filter((text) => text.length > 8)) {
    expect(outcome.message).not.toContain(part);
  }
  return outcome.message;
}

describe('a verified token', () => {
  it('names a person with roles and departments', async () => {
    expect(await verify(await sign())).toEqual({
      kind: 'person',
      id: 'pat',
      roles: ['approver'],
      departments: ['Finance'],
    });
  });

  it('may have no role and several audiences', async () => {
    const token = await sign({ claims: { roles: [], aud: ['other', audience] } });
    expect((await verify(token)).roles).toEqual([]);
  });

  it.each([['ES256'], ['RS256']])('may be signed with %s', async (alg) => {
    const other = await makeKeys(alg, 'k2');
    const path = join(dir, `${alg}.json`);
    await writeFile(path, JSON.stringify({ keys: [keys.jwk, other.jwk] }));
    const token = await sign({ header: { alg, kid: 'k2' }, by: other.privateKey });
    expect((await verify(token, path)).id).toBe('pat');
  });
});

describe('a refused token says which claim breaks which rule', () => {
  const cases: [string, Mutation, string][] = [
    ['expired', { claims: { exp: seconds - 1 } }, 'exp: is in the past'],
    ['expiring now', { claims: { exp: seconds } }, 'exp: is in the past'],
    ['without end', { claims: { exp: undefined } }, 'exp: is required'],
    ['with a textual end', { claims: { exp: 'later' } }, 'exp: is not valid'],
    ['not valid yet', { claims: { nbf: seconds + 1 } }, 'nbf: is in the future'],
    [
      'of another issuer',
      { claims: { iss: 'https://evil.example' } },
      'iss: must be the configured issuer',
    ],
    ['without an issuer', { claims: { iss: undefined } }, 'iss: is required'],
    ['for another audience', { claims: { aud: 'other' } }, 'aud: must name this service'],
    ['without an audience', { claims: { aud: undefined } }, 'aud: is required'],
    ['that is an ID token', { header: { typ: 'JWT' } }, 'typ: must be at+jwt'],
    ['without a subject', { claims: { sub: undefined } }, 'sub: is required'],
    ['with an empty subject', { claims: { sub: '' } }, 'sub: must be 1 to 128'],
    ['with a long subject', { claims: { sub: 'p'.repeat(129) } }, 'sub: must be 1 to 128'],
    ['with a subject of two words', { claims: { sub: 'p q' } }, 'sub: must be 1 to 128'],
    ['with a numeric subject', { claims: { sub: 7 } }, 'sub: '],
    [
      'with an unknown role',
      { claims: { roles: ['root'] } },
      'roles: must be a list of platform-engineer',
    ],
    ['with a textual role', { claims: { roles: 'approver' } }, 'roles: must be a list'],
    ['without roles', { claims: { roles: undefined } }, 'roles: must be a list'],
    [
      'with too many roles',
      { claims: { roles: Array(4).fill('auditor') } },
      'roles: must be a list',
    ],
    ['without departments', { claims: { departments: undefined } }, 'departments: must be a list'],
    ['with a numeric department', { claims: { departments: [7] } }, 'departments: must be a list'],
    ['with an empty department', { claims: { departments: [''] } }, 'departments: must be a list'],
    [
      'with 101 departments',
      { claims: { departments: Array(101).fill('x') } },
      'departments: must be',
    ],
    ['of an unknown key', { header: { kid: 'k9' } }, 'kid: must name a known key'],
  ];
  it.each(cases)('%s', async (_, mutation, message) => {
    expect(await refusal(await sign(mutation))).toContain(message);
  });

  it('signed by another key of the same name', async () => {
    expect(await refusal(await sign({ by: stranger.privateKey }))).toBe(
      'signature: does not verify',
    );
  });

  it('changed after it was signed', async () => {
    const [head = '', , signature = ''] = (await sign()).split('.');
    const payload = Buffer.from(JSON.stringify({ ...claims, sub: 'ana' })).toString('base64url');
    expect(await refusal(`${head}.${payload}.${signature}`)).toBe('signature: does not verify');
  });

  it('not signed at all', async () => {
    expect(await refusal(new UnsecuredJWT(claims).encode())).toMatch(/^(alg|token): /);
  });

  it('signed with the public key as a secret', async () => {
    const secret = new TextEncoder().encode(JSON.stringify(keys.jwk).padEnd(32));
    const token = await new SignJWT(claims)
      .setProtectedHeader({ ...header, alg: 'HS256' })
      .sign(secret);
    expect(await refusal(token)).toContain('alg: must be one of EdDSA, ES256, RS256');
  });

  it.each([
    ['no token at all', 'x'],
    ['two parts', 'a.b'],
    ['no JSON', 'YQ.YQ.YQ'],
    ['empty', ''],
  ])('that is %s', async (_, text) => {
    expect(await refusal(text)).toBe('token: must be a signed JWT');
  });

  it('that is oversized', async () => {
    const token = await sign({ claims: { padding: 'x'.repeat(9_000) } });
    expect(await refusal(token)).toBe('token: must be at most 8192 characters');
  });
});

describe('the key set', () => {
  it('is read again when its file changes', async () => {
    const path = join(dir, 'rotating.json');
    await writeFile(path, JSON.stringify({ keys: [keys.jwk] }));
    const verifier = createTokenVerifier({ jwks: path, issuer, audience, now: () => now });
    const next = await makeKeys('EdDSA', 'k-next');
    const token = await sign({ header: { kid: 'k-next' }, by: next.privateKey });
    await expect(verifier(token)).rejects.toThrow('kid: must name a known key');
    await writeFile(path, JSON.stringify({ keys: [next.jwk] }));
    await utimes(path, now, now);
    expect((await verifier(token)).id).toBe('pat');
    await expect(verifier(await sign())).rejects.toThrow('kid: must name a known key');
  });

  it.each([
    ['absent', null],
    ['no JSON', '{'],
    ['no key set', '[]'],
    ['empty', '{"keys": []}'],
    ['of too many keys', JSON.stringify({ keys: Array(33).fill({ kty: 'OKP' }) })],
    ['of no keys', '{"keys": [7]}'],
  ])('that is %s is the fault of the server', async (name, text) => {
    const path = join(dir, `${name.replaceAll(' ', '-')}.json`);
    if (text !== null) await writeFile(path, text);
    await expect(verify(await sign(), path)).rejects.toBeInstanceOf(KeysUnavailable);
  });

  it('that is too large is not read', async () => {
    const path = join(dir, 'large.json');
    await writeFile(path, JSON.stringify({ keys: [keys.jwk] }) + ' '.repeat(65_536));
    await expect(verify(await sign(), path)).rejects.toThrow('larger than 65536 bytes');
  });

  it('may be remote', async () => {
    const server = createServer((_request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ keys: [keys.jwk] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const url = new URL(`http://127.0.0.1:${String(port)}/jwks`);
    expect((await verify(await sign(), url)).id).toBe('pat');
    await new Promise((resolve) => server.close(resolve));
    await expect(verify(await sign(), url)).rejects.toBeInstanceOf(KeysUnavailable);
  });

  it('is not fetched in the clear from elsewhere', () => {
    for (const url of ['http://keys.example/jwks', 'ftp://127.0.0.1/jwks', 'data:,{}']) {
      expect(() => createTokenVerifier({ jwks: new URL(url), issuer, audience })).toThrow('https');
    }
  });
});
