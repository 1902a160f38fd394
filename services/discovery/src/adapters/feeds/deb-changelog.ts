import { pipeline } from 'node:stream/promises';
import { extract, type Headers } from 'tar-stream';
import type { DebChangelog } from '../../application/archive.js';
import { parseChangelog } from '../../domain/changelog.js';
import { FeedRefusal } from '../../domain/feed-refusal.js';
import { type Packing, unpack } from './unpack.js';

const MAGIC = '!<arch>\n';
const HEADER_BYTES = 60;
const DATA_BYTES_MAX = 2_147_483_648;
const CHANGELOG_BYTES_MAX = 33_554_432;
const PACKINGS: Readonly<Record<string, Packing>> = {
  'data.tar': 'plain',
  'data.tar.gz': 'gz',
  'data.tar.xz': 'xz',
  'data.tar.zst': 'zst',
};

type Member = Readonly<{ name: string; bytes: Buffer }>;

/** The members of a Unix archive. @throws FeedRefusal `malformed-package` */
function* arMembers(file: Buffer): Generator<Member> {
  if (file.toString('latin1', 0, MAGIC.length) !== MAGIC) throw malformed('it is not an archive');
  let at = MAGIC.length;
  while (at + HEADER_BYTES <= file.length) {
    const header = file.toString('latin1', at, at + HEADER_BYTES);
    const size = Number(/^\d+(?= *$)/.exec(header.slice(48, 58))?.[0]);
    const start = at + HEADER_BYTES;
    if (!header.endsWith('`\n') || Number.isNaN(size) || start + size > file.length) {
      throw malformed(`the member at byte ${at} has no proper header`);
    }
    const name = header.slice(0, 16).trim().replace(/\/$/, '');
    yield { name, bytes: file.subarray(start, start + size) };
    // Members begin at even offsets.
    at = start + size + (size % 2);
  }
}

/** The changelog of the package called `name`. @throws FeedRefusal `malformed-package` */
export async function changelogOfDeb(file: Buffer): Promise<DebChangelog> {
  for (const { name, bytes } of arMembers(file)) {
    const packing = PACKINGS[name];
    if (packing !== undefined) return changelogOfData(bytes, packing);
  }
  throw malformed('it has no data member that can be read');
}

type Found = { byName: Map<string, Buffer>; sibling: string | null };

async function changelogOfData(data: Buffer, packing: Packing): Promise<DebChangelog> {
  const found = await documentation(data, packing);
  // A native package has no Debian file beside its own; elsewhere that one is the author's.
  const packed = found.byName.get('changelog.Debian.gz') ?? found.byName.get('changelog.gz');
  if (packed === undefined) {
    if (found.sibling !== null) return { status: 'elsewhere', package: found.sibling };
    return { status: 'absent', detail: 'the package carries no Debian changelog' };
  }
  const limits = {
    sizeMax: CHANGELOG_BYTES_MAX,
    code: 'malformed-package',
    name: 'changelog',
  } as const;
  const text: Buffer[] = [];
  for await (const chunk of unpack(packed, 'gz', limits)) text.push(chunk);
  const entries = parseChangelog(Buffer.concat(text).toString('utf8'));
  if (entries.length > 0) return { status: 'read', entries };
  return { status: 'absent', detail: 'the changelog names no upload' };
}

const DOC =
  /^(?:\.\/)?usr\/share\/doc\/([a-z0-9][a-z0-9+.-]*)(?:\/(changelog(?:\.Debian)?\.gz))?\/?$/;

async function documentation(data: Buffer, packing: Packing): Promise<Found> {
  const found: Found = { byName: new Map(), sibling: null };
  const tar = extract();
  tar.on('entry', (header, stream, next) => {
    stream.on('error', next);
    const [, directory, file] = DOC.exec(header.name) ?? [];
    if (directory !== undefined && file === undefined) found.sibling ??= siblingOf(header);
    if (file === undefined || header.type !== 'file' || (header.size ?? 0) > CHANGELOG_BYTES_MAX) {
      stream.on('end', next).resume();
      return;
    }
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      found.byName.set(file, Buffer.concat(chunks));
      next();
    });
  });
  const limits = { sizeMax: DATA_BYTES_MAX, code: 'malformed-package', name: 'data.tar' } as const;
  try {
    await pipeline(unpack(data, packing, limits), tar);
  } catch (error) {
    if (error instanceof FeedRefusal) throw error;
    throw malformed('its data member is not a tar archive');
  }
  return found;
}

function siblingOf(header: Headers): string | null {
  if (header.type !== 'symlink') return null;
  return /^(?:\.\/)?([a-z0-9][a-z0-9+.-]*)\/?$/.exec(header.linkname ?? '')?.[1] ?? null;
}

function malformed(rule: string): FeedRefusal {
  return new FeedRefusal('malformed-package', `the .deb is refused: ${rule}`);
}
