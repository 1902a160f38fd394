import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createCleartextMessage, generateKey, readPrivateKey, sign } from 'openpgp';
import { buildDeb, controlFile, type DebPackage } from './deb-package.js';

export type RepositoryOptions = Readonly<{
  origin: string;
  label: string;
  /** Suite and codename. */
  codename: string;
  architecture: string;
  packages: readonly DebPackage[];
}>;

export type SignedRepository = Readonly<{
  uri: string;
  codename: string;
  /** The armored public key. */
  keyring: string;
  close: () => Promise<void>;
}>;

const VALID_MS = 86_400_000;

/** A small apt archive with a key of its own, served on a free local port. */
export async function serveRepository(options: RepositoryOptions): Promise<SignedRepository> {
  const { privateKey, publicKey } = await generateKey({
    type: 'ecc',
    // The older packet format, which the gpgv of every supported release can read.
    curve: 'ed25519Legacy',
    userIDs: [{ name: options.origin }],
  });
  const files = await filesOf(options, privateKey);
  const server = createServer((request, response) => {
    const content = files.get(new URL(request.url ?? '/', 'http://localhost').pathname);
    response.writeHead(content === undefined ? 404 : 200, { connection: 'close' });
    response.end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    uri: `http://127.0.0.1:${String(port)}`,
    codename: options.codename,
    keyring: publicKey,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
}

async function filesOf(
  { packages, architecture, ...release }: RepositoryOptions,
  armoredKey: string,
): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const stanzas: string[] = [];
  for (const deb of packages) {
    const content = await buildDeb(deb);
    const filename = `pool/${deb.name}_${deb.version}_all.deb`;
    files.set(`/${filename}`, content);
    stanzas.push(
      `${controlFile(deb)}Filename: ${filename}\nSize: ${String(content.length)}\nSHA256: ${sha256(content)}\n`,
    );
  }
  const index = Buffer.from(stanzas.join('\n'));
  const indexPath = `main/binary-${architecture}/Packages`;
  const dist = `/dists/${release.codename}`;
  files.set(`${dist}/${indexPath}`, index);
  const text = releaseFile({ ...release, architecture }, indexPath, index);
  const signingKeys = await readPrivateKey({ armoredKey });
  const message = await createCleartextMessage({ text });
  files.set(`${dist}/InRelease`, Buffer.from(await sign({ message, signingKeys })));
  return files;
}

function releaseFile(
  release: Omit<RepositoryOptions, 'packages'>,
  indexPath: string,
  index: Buffer,
): string {
  const now = Date.now();
  return [
    `Origin: ${release.origin}`,
    `Label: ${release.label}`,
    `Suite: ${release.codename}`,
    `Codename: ${release.codename}`,
    `Date: ${new Date(now).toUTCString().replace('GMT', 'UTC')}`,
    `Valid-Until: ${new Date(now + VALID_MS).toUTCString().replace('GMT', 'UTC')}`,
    `Architectures: ${release.architecture}`,
    'Components: main',
    'SHA256:',
    ` ${sha256(index)} ${String(index.length)} ${indexPath}`,
    '',
  ].join('\n');
}

const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');
