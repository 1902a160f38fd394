import { createHash } from 'node:crypto';
import { StringDecoder } from 'node:string_decoder';
import type { Archive, ArchiveAnswer, ArchiveRequest } from '../../application/archive.js';
import { createStanzaReader } from '../../domain/deb822.js';
import { FeedRefusal } from '../../domain/feed-refusal.js';
import { type IndexPackage, indexPackageOf } from '../../domain/index-package.js';
import {
  assertCurrent,
  assertSuite,
  type IndexFile,
  indexFileOf,
  parseRelease,
  type Release,
} from '../../domain/release.js';
import { changelogOfDeb } from './deb-changelog.js';
import { download, downloadVerified } from './download.js';
import { readKeyring, verifiedText } from './signature.js';
import { unpack } from './unpack.js';

export type AptLimits = Readonly<{
  timeoutMs: number;
  releaseBytesMax: number;
  indexBytesMax: number;
  unpackedBytesMax: number;
  debBytesMax: number;
}>;

export const APT_LIMITS: AptLimits = {
  timeoutMs: 120_000,
  releaseBytesMax: 8_388_608,
  indexBytesMax: 134_217_728,
  unpackedBytesMax: 536_870_912,
  debBytesMax: 200_000_000,
};

/** Debian archives over http, https and file URIs. */
export function createAptArchive(limits: AptLimits = APT_LIMITS): Archive {
  return {
    fingerprintsOf: async (keyring) =>
      (await readKeyring(keyring)).map((key) => key.getFingerprint().toUpperCase()),
    fetchRelease: async (request, signal) => {
      try {
        return await fetchVerified(request, limits, signal);
      } catch (error) {
        if (!(error instanceof FeedRefusal)) throw error;
        return { status: 'refused', code: error.code, detail: error.detail };
      }
    },
    readChangelog: async (deb, signal) => {
      const { timeoutMs, debBytesMax: sizeMax } = limits;
      return changelogOfDeb(await downloadVerified(deb, { timeoutMs, sizeMax, signal }));
    },
  };
}

async function fetchVerified(
  request: ArchiveRequest,
  limits: AptLimits,
  signal: AbortSignal,
): Promise<ArchiveAnswer> {
  const base = `${request.uri}/dists/${request.suite}`;
  const { timeoutMs, releaseBytesMax: sizeMax } = limits;
  const file = await download(`${base}/InRelease`, { timeoutMs, sizeMax, signal });
  const keys = await readKeyring(request.keyring);
  const text = await verifiedText(file.toString('utf8'), keys, request.now);
  const release = parseRelease(text);
  assertSuite(release, request.suite);
  assertCurrent(release, request.inForce?.releasedAt ?? null, request.now);
  const releaseDigest = `sha256:${createHash('sha256').update(file).digest('hex')}`;
  if (releaseDigest === request.inForce?.releaseDigest)
    return { status: 'unchanged', releaseDigest };
  const packages: IndexPackage[] = [];
  for (const index of indexesOf(release, request)) {
    await readIndex({ ...index, base, release, request, limits, signal }, packages);
  }
  return { status: 'new', releaseDigest, release, packages: distinct(packages) };
}

type WantedIndex = Readonly<{ component: string; file: IndexFile }>;

function indexesOf(release: Release, request: ArchiveRequest): WantedIndex[] {
  return request.components.flatMap((component) => {
    const own = request.architectures.map((architecture) => {
      const file = indexFileOf(release, component, architecture);
      if (file !== null) return { component, file };
      const path = `${component}/binary-${architecture}/Packages`;
      throw new FeedRefusal('missing-index', `Release lists no ${path}`);
    });
    const all = release.indexForAll ? indexFileOf(release, component, 'all') : null;
    return all === null ? own : [...own, { component, file: all }];
  });
}

type IndexJob = WantedIndex &
  Readonly<{
    base: string;
    release: Release;
    request: ArchiveRequest;
    limits: AptLimits;
    signal: AbortSignal;
  }>;

async function readIndex(job: IndexJob, packages: IndexPackage[]): Promise<void> {
  const { file, limits, signal, component } = job;
  if (file.size === 0) return;
  const { timeoutMs, indexBytesMax: sizeMax } = limits;
  const expected = { uri: indexUri(job), size: file.size, sha256: file.sha256 };
  const packed = await downloadVerified(expected, { timeoutMs, sizeMax, signal });
  const wanted = new Set([...job.request.architectures, 'all']);
  const reader = createStanzaReader();
  // A character may be cut in two by a chunk's end.
  const decoder = new StringDecoder('utf8');
  const bounds = {
    sizeMax: limits.unpackedBytesMax,
    code: 'malformed-index',
    name: file.path,
  } as const;
  const take = (stanzas: ReturnType<typeof reader.push>) => {
    for (const stanza of stanzas) {
      const found = indexPackageOf(stanza, component);
      if (wanted.has(found.architecture)) packages.push(found);
    }
  };
  for await (const chunk of unpack(packed, file.packing, bounds)) {
    take(reader.push(decoder.write(chunk)));
  }
  take(reader.push(decoder.end()));
  take(reader.end());
}

function indexUri({ base, file, release }: IndexJob): string {
  if (!release.acquireByHash) return `${base}/${file.path}`;
  const directory = file.path.slice(0, file.path.lastIndexOf('/'));
  return `${base}/${directory}/by-hash/SHA256/${file.sha256}`;
}

/** Packages for all architectures may stand in several indexes of one archive. */
function distinct(packages: readonly IndexPackage[]): IndexPackage[] {
  const seen = new Map<string, IndexPackage>();
  for (const each of packages) {
    const key = `${each.package} ${each.architecture} ${each.version}`;
    if (!seen.has(key)) seen.set(key, each);
  }
  return [...seen.values()];
}
