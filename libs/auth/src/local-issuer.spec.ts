import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLocalIssuer, createTokenVerifier, type LocalIssuer } from './index.js';
import { readTokenArguments } from './token-arguments.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'patchtrail-issuer-'));
});
afterEach(() => rm(dir, { recursive: true }));

const request = { sub: 'pat', roles: ['approver'], departments: ['*'], ttlSeconds: 60 } as const;
const verifierOf = ({ jwks, issuer, audience }: LocalIssuer, now = () => new Date()) =>
  createTokenVerifier({ jwks, issuer, audience, now });

describe('the local issuer', () => {
  it('mints what the verifier takes, for as long as it was asked', async () => {
    const start = new Date('2026-11-21T09:00:00Z');
    const issuer = await createLocalIssuer(dir, () => start);
    const token = await issuer.mint(request);
    const after = (seconds: number) => () => new Date(start.getTime() + seconds * 1_000);
    expect(await verifierOf(issuer, after(59))(token)).toEqual({
      kind: 'person',
      id: 'pat',
      roles: ['approver'],
      departments: ['*'],
    });
    await expect(verifierOf(issuer, after(60))(token)).rejects.toThrow('exp: is in the past');
  });

  it('keeps its private key to its owner, and publishes the public half only', async () => {
    const { jwks } = await createLocalIssuer(join(dir, 'sub', 'folder'));
    const key = join(dir, 'sub', 'folder', 'issuer-key.json');
    expect((await stat(key)).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, 'sub', 'folder'))).mode & 0o777).toBe(0o700);
    const published: unknown = JSON.parse(await readFile(jwks, 'utf8'));
    expect(published).toEqual({
      keys: [
        {
          kty: 'OKP',
          crv: 'Ed25519',
          x: expect.any(String),
          kid: expect.any(String),
          alg: 'EdDSA',
          use: 'sig',
        },
      ],
    });
  });

  it('keeps its key, even when two start at once', async () => {
    const issuers = await Promise.all(Array.from({ length: 20 }, () => createLocalIssuer(dir)));
    const later = await createLocalIssuer(dir);
    for (const issuer of issuers) {
      expect((await verifierOf(later)(await issuer.mint(request))).id).toBe('pat');
    }
  });

  it.each([0o640, 0o604, 0o620, 0o644])('refuses a key file of mode %o', async (mode) => {
    await createLocalIssuer(dir);
    await chmod(join(dir, 'issuer-key.json'), mode);
    await expect(createLocalIssuer(dir)).rejects.toThrow('must be readable by its owner only');
  });

  it.each([['{'], ['{}'], ['[]'], ['{"kty":"RSA","kid":"a","d":"b","x":"c","crv":"Ed25519"}']])(
    'refuses a key file that holds %s',
    async (text) => {
      await writeFile(join(dir, 'issuer-key.json'), text, { mode: 0o600 });
      await expect(createLocalIssuer(dir)).rejects.toThrow('issuer-key.json: must hold a');
    },
  );

  it.each([0, -1, 1.5, 3_601, Number.NaN])('refuses a life of %d seconds', async (ttlSeconds) => {
    const issuer = await createLocalIssuer(dir);
    await expect(issuer.mint({ ...request, ttlSeconds })).rejects.toThrow('ttlSeconds: must be');
  });
});

describe('the arguments of the command', () => {
  it('mean all departments and an hour unless told', () => {
    expect(readTokenArguments({ dir: 'd', sub: 'pat', role: ['auditor', 'auditor'] })).toEqual({
      dir: 'd',
      sub: 'pat',
      roles: ['auditor'],
      departments: ['*'],
      ttlSeconds: 3_600,
    });
    const told = { dir: 'd', sub: 'pat', department: ['A', 'B'], ttl: '60' };
    expect(readTokenArguments(told)).toMatchObject({ departments: ['A', 'B'], ttlSeconds: 60 });
  });

  it.each([
    [{ sub: 'pat' }, '--dir: is required'],
    [{ dir: 'd' }, '--sub: must be'],
    [{ dir: 'd', sub: 'a b' }, '--sub: must be'],
    [{ dir: 'd', sub: 'pat', role: ['root'] }, '--role: must be one of'],
    [{ dir: 'd', sub: 'pat', department: [''] }, '--department: must not be empty'],
    [{ dir: 'd', sub: 'pat', ttl: '3601' }, '--ttl: must be 1 to 3600'],
    [{ dir: 'd', sub: 'pat', ttl: '0' }, '--ttl: must be 1 to 3600'],
    [{ dir: 'd', sub: 'pat', ttl: '1e2' }, '--ttl: must be 1 to 3600'],
  ])('%j are refused', (given, message) => {
    expect(() => readTokenArguments(given)).toThrow(message);
  });
});

describe('the command', () => {
  const run = promisify(execFile);
  const hooks = new URL('../../testing/src/jest/source-hooks.mjs', import.meta.url).href;
  const cli = new URL('./token-cli.ts', import.meta.url).pathname;
  const command = (...args: string[]) =>
    run(process.execPath, ['--import', hooks, cli, ...args], { timeout: 20_000 });

  it('prints a token and nothing else', async () => {
    const { stdout } = await command('--dir', dir, '--sub', 'pat', '--role', 'approver');
    const issuer = await createLocalIssuer(dir);
    expect(await verifierOf(issuer)(stdout.trimEnd())).toMatchObject({ id: 'pat' });
  });

  it('fails with the option and its rule', async () => {
    await expect(command('--dir', dir, '--sub', 'pat', '--role', 'root')).rejects.toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('--role: must be one of'),
    });
    await expect(command('--what')).rejects.toMatchObject({ code: 2, stdout: '' });
  });
});
