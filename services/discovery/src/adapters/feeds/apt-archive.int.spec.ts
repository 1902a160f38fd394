import { cp, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ArchiveAnswer, ArchiveRequest } from '../../application/archive.js';
import { APT_LIMITS, type AptLimits, createAptArchive } from './apt-archive.js';
import {
  newKey,
  openRepository,
  type ReleaseSpec,
  type Repository,
} from './signed-repository.suite.js';

const now = '2026-11-21T09:00:00.000Z';
const hello = { name: 'hello', version: '1.0-1' };
const signal = new AbortController().signal;
const refused = (code: string) => expect.objectContaining({ status: 'refused', code });
let repository: Repository;

beforeAll(async () => {
  repository = await openRepository();
});
afterAll(() => repository.remove());

function requestFor(of: Partial<ArchiveRequest> = {}): ArchiveRequest {
  const { uri, suite, keyring } = repository;
  const place = { uri, suite, components: ['main'], architectures: ['amd64'] };
  return { ...place, keyring, inForce: null, now, ...of };
}

async function answerTo(
  release: Partial<ReleaseSpec>,
  of: Partial<ArchiveRequest> = {},
  limits: Partial<AptLimits> = {},
): Promise<ArchiveAnswer> {
  await repository.publish({ packages: [hello], ...release });
  const archive = createAptArchive({ ...APT_LIMITS, ...limits });
  return archive.fetchRelease(requestFor(of), signal);
}

describe('a signed archive', () => {
  it('gives its release and packages once they are verified', async () => {
    const answer = await answerTo({
      packages: [hello, { name: 'libhello1', version: '1.0-1+b2', source: 'hello (1.0-1)' }],
      validUntil: 'Fri, 27 Nov 2026 08:00:00 UTC',
    });
    expect(answer).toMatchObject({
      status: 'new',
      release: {
        origin: 'Example',
        codename: 'lion',
        date: '2026-11-20T08:00:00.000Z',
        validUntil: '2026-11-27T08:00:00.000Z',
      },
      packages: [
        { package: 'hello', version: '1.0-1', sourcePackage: 'hello', sourceVersion: '1.0-1' },
        {
          package: 'libhello1',
          version: '1.0-1+b2',
          sourcePackage: 'hello',
          sourceVersion: '1.0-1',
        },
      ],
    });
  });

  it('says unchanged for the release in force', async () => {
    const first = await answerTo({});
    if (first.status !== 'new') throw new Error('the first answer is not new');
    const { releaseDigest, release } = first;
    const inForce = { releaseDigest, releasedAt: release.date };
    const again = await createAptArchive().fetchRelease(requestFor({ inForce }), signal);
    expect(again).toEqual({ status: 'unchanged', releaseDigest });
  });

  it('takes packages of the admitted architectures and of all of them', async () => {
    const answer = await answerTo({
      packages: [
        hello,
        { ...hello, name: 'doc', architecture: 'all' },
        { ...hello, name: 'arm', architecture: 'arm64' },
      ],
    });
    expect(answer).toMatchObject({ packages: [{ package: 'hello' }, { package: 'doc' }] });
  });

  it('knows the keys of a keyring by their fingerprints', async () => {
    const [fingerprint] = await createAptArchive().fingerprintsOf(repository.keyring);
    expect(fingerprint).toMatch(/^[0-9A-F]{40}$/);
  });

  it.each(['', 'no keys', Buffer.from('nonsense').toString('base64')])(
    'refuses the keyring %j',
    async (keyring) => {
      await expect(createAptArchive().fingerprintsOf(keyring)).rejects.toMatchObject({
        code: 'invalid-keyring',
      });
    },
  );

  it('refuses a private key as keyring', async () => {
    const { privateKey } = await newKey();
    const bytes = Buffer.from(privateKey.write()).toString('base64');
    for (const keyring of [privateKey.armor(), bytes]) {
      await expect(createAptArchive().fingerprintsOf(keyring)).rejects.toMatchObject({
        code: 'invalid-keyring',
      });
    }
  });
});

describe('the time of a signature', () => {
  // It is of 20 November, midnight.
  const signedBy = (now: string) => answerTo({ date: 'Thu, 19 Nov 2026 20:00:00 UTC' }, { now });

  it('may be up to a day ahead of a clock that is late, as that of the release may', async () => {
    expect(await signedBy('2026-11-19T00:00:01.000Z')).toMatchObject({ status: 'new' });
  });

  it('may not be further ahead', async () => {
    expect(await signedBy('2026-11-18T23:59:58.000Z')).toEqual(refused('bad-signature'));
  });
});

describe('an archive is refused', () => {
  it.each<[string, string, Partial<ReleaseSpec>]>([
    ['a tampered index', 'hash-mismatch', { servedIndex: (bytes) => flip(bytes) }],
    ['a truncated index', 'truncated', { servedIndex: (bytes) => bytes.subarray(0, -5) }],
    ['an index that grew', 'too-large', { servedIndex: (bytes) => Buffer.concat([bytes, bytes]) }],
    [
      'a tampered release',
      'bad-signature',
      { servedRelease: (text) => text.replace('Label: Example', 'Label: Debian') },
    ],
    [
      'a truncated release',
      'truncated',
      { servedRelease: (text) => text.slice(0, text.length / 2) },
    ],
    ['an unsigned release', 'bad-signature', { servedRelease: () => 'Origin: Example\n' }],
    ['an expired release', 'expired', { validUntil: 'Sat, 21 Nov 2026 08:59:59 UTC' }],
    ['a release of the future', 'not-yet-valid', { date: 'Fri, 27 Nov 2026 08:00:00 UTC' }],
    ['a date that is none', 'malformed-release', { date: 'yesterday' }],
    [
      'a release without the index',
      'missing-index',
      { digests: (list) => list.replace('amd64', 'arm64') },
    ],
    [
      'an index without its digest',
      'malformed-release',
      { digests: (list) => list.replace(/^ [0-9a-f]{60}/, ' ') },
    ],
    [
      'a stanza without a version',
      'malformed-index',
      { indexText: (text) => text.replace(/^Version:.*\n/m, '') },
    ],
    [
      'a path that leaves the archive',
      'malformed-index',
      { indexText: (text) => text.replace(/^Filename: .*/m, 'Filename: ../../etc/shadow') },
    ],
    [
      'an index with a line that is no field',
      'malformed-index',
      { indexText: (text) => `${text}\nnonsense` },
    ],
  ])('for %s', async (_, code, release) => {
    expect(await answerTo(release)).toEqual(refused(code));
  });

  it('for a key that was not admitted', async () => {
    const { privateKey } = await newKey();
    expect(await answerTo({ key: privateKey })).toEqual(refused('unknown-key'));
  });

  it('for a release older than the one in force', async () => {
    const inForce = {
      releaseDigest: `sha256:${'0'.repeat(64)}`,
      releasedAt: '2026-11-20T08:00:01Z',
    };
    expect(await answerTo({}, { inForce })).toEqual(refused('replayed'));
  });

  it('for being that of another suite, signed by the same key', async () => {
    const dists = join(repository.root, 'dists');
    await repository.publish({ packages: [], codename: 'tiger' });
    await cp(join(dists, 'stable'), join(dists, 'lion-security'), { recursive: true });
    const request = requestFor({ suite: 'lion-security' });
    expect(await createAptArchive().fetchRelease(request, signal)).toEqual(
      expect.objectContaining({
        ...{ status: 'refused', code: 'other-suite' },
        detail: 'Release is that of stable (tiger), not of lion-security',
      }),
    );
  });

  it('for text around what was signed, which is never read', async () => {
    const answer = await answerTo({ servedRelease: (text) => `Codename: tiger\n\n${text}` });
    expect(answer).toEqual(refused('bad-signature'));
  });

  it('for an index that unpacks to more than the bound', async () => {
    expect(await answerTo({}, {}, { unpackedBytesMax: 20 })).toEqual(refused('too-large'));
  });

  it('for a release above the bound', async () => {
    expect(await answerTo({}, {}, { releaseBytesMax: 20 })).toEqual(refused('too-large'));
  });

  it('for a place where nothing is', async () => {
    const answer = await createAptArchive().fetchRelease(requestFor({ suite: 'none' }), signal);
    expect(answer).toEqual(refused('unreachable'));
  });
});

function flip(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[20] = (copy[20] ?? 0) ^ 1;
  return copy;
}

describe('over http', () => {
  let handle: (
    path: string,
  ) => Readonly<{ status: number; location?: string; body?: Buffer }> | null;
  const server = createServer((request, response) => {
    const answer = handle(request.url ?? '');
    // `null` is a server that says nothing.
    if (answer === null) return;
    const { status, location, body } = answer;
    response.writeHead(status, location === undefined ? {} : { location }).end(body);
  });
  let base: string;

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port }: AddressInfo = addressOf(server.address());
    base = `http://127.0.0.1:${String(port)}`;
    await repository.publish({ packages: [hello] });
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('follows redirects and reads the same archive', async () => {
    const files = new Map<string, Buffer>();
    const release = await readFile(join(repository.root, 'dists/stable/InRelease'));
    files.set('/dists/stable/InRelease', release);
    const [hash] = /[0-9a-f]{64}/.exec(release.toString()) ?? [''];
    const path = `/dists/stable/main/binary-amd64/by-hash/SHA256/${hash}`;
    files.set(path, await readFile(join(repository.root, path)));
    handle = (url) => {
      if (url.startsWith('/moved')) return { status: 302, location: url.slice('/moved'.length) };
      const body = files.get(url);
      return body === undefined ? { status: 404 } : { status: 200, body };
    };
    const request = requestFor({ uri: `${base}/moved` });
    const answer = await createAptArchive().fetchRelease(request, signal);
    expect(answer).toMatchObject({ status: 'new', packages: [{ package: 'hello' }] });
  });

  it('says where a redirect must not lead', async () => {
    handle = () => ({ status: 302, location: `${repository.uri}/dists/stable/InRelease` });
    const answer = await createAptArchive().fetchRelease(requestFor({ uri: base }), signal);
    expect(answer).toMatchObject({ detail: expect.stringContaining('not http or https') });
  });

  it('refuses nothing because the work was given up', async () => {
    const lost = new Error('the lease is gone');
    for (const uri of [base, repository.uri]) {
      const controller = new AbortController();
      handle = () => {
        controller.abort(lost);
        return null;
      };
      if (uri !== base) controller.abort(lost);
      const answer = createAptArchive().fetchRelease(requestFor({ uri }), controller.signal);
      await expect(answer).rejects.toThrow();
    }
  });

  it('calls it a timeout when the time of the whole sync is over', async () => {
    handle = () => null;
    const answer = createAptArchive().fetchRelease(
      requestFor({ uri: base }),
      AbortSignal.timeout(100),
    );
    expect(await answer).toEqual(refused('timeout'));
  });

  it.each([
    ['an endless redirect', 'unreachable', () => ({ status: 302, location: '/again' })],
    [
      'a redirect into the file system',
      'unreachable',
      () => ({ status: 302, location: `${repository.uri}/dists/stable/InRelease` }),
    ],
    ['an error', 'unreachable', () => ({ status: 503 })],
    ['silence', 'timeout', () => null],
  ])('refuses %s', async (_, code, answerOf) => {
    handle = answerOf;
    const archive = createAptArchive({ ...APT_LIMITS, timeoutMs: 300 });
    expect(await archive.fetchRelease(requestFor({ uri: base }), signal)).toEqual(refused(code));
  });
});

function addressOf(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('no address');
  return address;
}

describe('a package that was fetched', () => {
  it('is refused unless it is the one in the index', async () => {
    const path = join(repository.root, 'pool/other.deb');
    await writeFile(path, 'something');
    const deb = { uri: `${repository.uri}/pool/other.deb`, sha256: '0'.repeat(64), size: 9 };
    const archive = createAptArchive();
    await expect(archive.readChangelog(deb, signal)).rejects.toMatchObject({
      code: 'hash-mismatch',
    });
    await expect(archive.readChangelog({ ...deb, size: 10 }, signal)).rejects.toMatchObject({
      code: 'truncated',
    });
  });

  it('is not fetched when it is listed above the bound', async () => {
    const archive = createAptArchive({ ...APT_LIMITS, debBytesMax: 8 });
    const deb = { uri: `${repository.uri}/pool/other.deb`, sha256: '0'.repeat(64), size: 9 };
    await expect(archive.readChangelog(deb, signal)).rejects.toMatchObject({ code: 'too-large' });
  });
});
