import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { createCleartextMessage, generateKey, type PrivateKey, sign } from 'openpgp';
import { pack } from 'tar-stream';

export type DebSpec = Readonly<{
  name: string;
  version: string;
  architecture?: string;
  /** `name` or `name (version)`, as the index says it. */
  source?: string;
  /** The text of its changelog. */
  changelog?: string;
  changelogFile?: 'changelog.Debian.gz' | 'changelog.gz';
  /** Its documentation directory is a link to that of another package. */
  docLink?: string;
  packing?: 'gz' | 'zst' | 'plain';
}>;

export type ReleaseSpec = Readonly<{
  packages: readonly DebSpec[];
  date?: string;
  validUntil?: string;
  codename?: string;
  label?: string;
  origin?: string;
  extraFields?: string;
  key?: PrivateKey;
  /** What is served in place of the index that was signed. */
  servedIndex?: (signed: Buffer) => Buffer;
  /** What is served in place of the InRelease that was signed. */
  servedRelease?: (signed: string) => string;
  /** What is signed in place of the list of digests. */
  digests?: (list: string) => string;
  indexText?: (text: string) => string;
}>;

export async function newKey(): Promise<Readonly<{ privateKey: PrivateKey; publicKey: string }>> {
  const userIDs = [{ name: 'archive', email: 'archive@patchtrail.test' }];
  const { privateKey, publicKey } = await generateKey({
    userIDs,
    date: new Date('2020-01-01T00:00:00Z'),
    format: 'object',
  });
  return { privateKey, publicKey: publicKey.armor() };
}

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

/** One archive under a temporary directory, published anew by each call of `publish`. */
export async function openRepository() {
  const root = await mkdtemp(join(tmpdir(), 'patchtrail-archive-'));
  const key = await newKey();
  const put = async (path: string, content: Buffer | string) => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  };
  return {
    root,
    uri: pathToFileURL(root).href,
    suite: 'stable',
    keyring: key.publicKey,
    publish: async (release: ReleaseSpec) => {
      await publish(release, key.privateKey, put);
    },
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

export type Repository = Awaited<ReturnType<typeof openRepository>>;

type Put = (path: string, content: Buffer | string) => Promise<void>;

async function publish(release: ReleaseSpec, ownKey: PrivateKey, put: Put): Promise<void> {
  const list = await publishIndex(release, put);
  const text = releaseText(release, release.digests?.(list) ?? list);
  const signed = await sign({
    message: await createCleartextMessage({ text }),
    signingKeys: release.key ?? ownKey,
    date: new Date('2026-11-20T00:00:00Z'),
  });
  await put('dists/stable/InRelease', release.servedRelease?.(signed) ?? signed);
}

async function publishIndex(release: ReleaseSpec, put: Put): Promise<string> {
  const stanzas: string[] = [];
  for (const spec of release.packages) {
    const deb = await makeDeb(spec);
    const filename = `pool/${spec.name}_${spec.version.replace(':', '%3a')}.deb`;
    await put(filename, deb);
    stanzas.push(stanzaOf(spec, filename, deb));
  }
  const text = stanzas.join('\n');
  const index = gzipSync(Buffer.from(release.indexText?.(text) ?? text));
  const path = 'main/binary-amd64/Packages.gz';
  const served = release.servedIndex?.(index) ?? index;
  await put(`dists/stable/${path}`, served);
  await put(`dists/stable/main/binary-amd64/by-hash/SHA256/${sha256(index)}`, served);
  return ` ${sha256(index)} ${String(index.length)} ${path}`;
}

function releaseText(release: ReleaseSpec, list: string): string {
  const { origin = 'Example', label = 'Example', codename = 'lion' } = release;
  return [
    `Origin: ${origin}`,
    `Label: ${label}`,
    'Suite: stable',
    `Codename: ${codename}`,
    `Date: ${release.date ?? 'Fri, 20 Nov 2026 08:00:00 UTC'}`,
    ...(release.validUntil === undefined ? [] : [`Valid-Until: ${release.validUntil}`]),
    ...(release.extraFields === undefined ? [] : [release.extraFields]),
    'Acquire-By-Hash: yes',
    'Architectures: amd64',
    'Components: main',
    'SHA256:',
    list,
    '',
  ].join('\n');
}

function stanzaOf(spec: DebSpec, filename: string, deb: Buffer): string {
  return [
    `Package: ${spec.name}`,
    ...(spec.source === undefined ? [] : [`Source: ${spec.source}`]),
    `Version: ${spec.version}`,
    `Architecture: ${spec.architecture ?? 'amd64'}`,
    'Description: for a test',
    ' with a second line',
    `Filename: ${filename}`,
    `Size: ${String(deb.length)}`,
    `SHA256: ${sha256(deb)}`,
    '',
  ].join('\n');
}

export function changelogText(
  source: string,
  uploads: readonly Readonly<{ version: string; text: string }>[],
): string {
  return uploads
    .map(
      ({ version, text }) =>
        `${source} (${version}) stable; urgency=medium\n\n  * ${text}\n\n -- A <a@b.test>  Fri, 20 Nov 2026 08:00:00 +0000\n\n`,
    )
    .join('');
}

const HELLO = changelogText('hello', [
  { version: '1.2-1', text: 'Fix CVE-2026-0003.' },
  { version: '1.1-1', text: 'Fix CVE-2026-0002 and CVE-2026-0002.' },
  { version: '1.0-1', text: 'Fix CVE-2026-0001.' },
]);

/** A package whose three versions each mend something. */
export const hello = (version: string): DebSpec => ({ name: 'hello', version, changelog: HELLO });

export async function makeDeb(spec: DebSpec): Promise<Buffer> {
  const tar = pack();
  const doc = `./usr/share/doc/${spec.name}`;
  if (spec.docLink === undefined) {
    tar.entry({ name: `${doc}/`, type: 'directory' });
    tar.entry({ name: `${doc}/copyright` }, 'free');
  } else {
    tar.entry({ name: doc, type: 'symlink', linkname: spec.docLink });
  }
  if (spec.changelog !== undefined) {
    const name = `${doc}/${spec.changelogFile ?? 'changelog.Debian.gz'}`;
    tar.entry({ name }, gzipSync(Buffer.from(spec.changelog)));
  }
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar) chunks.push(chunk);
  const { packing = 'gz' } = spec;
  const data = Buffer.concat(chunks);
  const packed = { gz: gzipSync, zst: zstdCompressSync, plain: (bytes: Buffer) => bytes }[packing];
  const suffix = packing === 'plain' ? '' : `.${packing}`;
  return arOf([
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', gzipSync(Buffer.alloc(1_024))],
    [`data.tar${suffix}`, packed(data)],
  ]);
}

export function arOf(members: readonly (readonly [string, Buffer])[]): Buffer {
  const parts: Buffer[] = [Buffer.from('!<arch>\n')];
  for (const [name, bytes] of members) {
    const header = [
      name.padEnd(16),
      '0'.padEnd(12),
      '0'.padEnd(6),
      '0'.padEnd(6),
      '100644'.padEnd(8),
      String(bytes.length).padEnd(10),
    ].join('');
    parts.push(Buffer.from(`${header}\`\n`), bytes, Buffer.alloc(bytes.length % 2, '\n'));
  }
  return Buffer.concat(parts);
}
