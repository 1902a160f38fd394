import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

export type DebPackage = Readonly<{
  name: string;
  version: string;
  description: string;
  /** Debian changelog text, newest entry first. */
  changelog: string;
  /** Shell script run after unpacking; none by default. */
  postinst?: string;
}>;

type Entry = Readonly<{ name: string; mode: number; content: Buffer | 'directory' }>;

/** A binary package for every architecture, as dpkg would build it. */
export async function buildDeb(deb: DebPackage): Promise<Buffer> {
  const control = [entry('./', 0o755), entry('./control', 0o644, controlFile(deb))];
  if (deb.postinst !== undefined) control.push(entry('./postinst', 0o755, deb.postinst));
  const doc = `./usr/share/doc/${deb.name}/`;
  const data = [
    ...['./', './usr/', './usr/share/', './usr/share/doc/', doc].map((name) => entry(name, 0o755)),
    { name: `${doc}changelog.gz`, mode: 0o644, content: gzipSync(deb.changelog) },
  ];
  return ar([
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', await tarGz(control)],
    ['data.tar.gz', await tarGz(data)],
  ]);
}

/** The control paragraph, also the start of the package's stanza in an index. */
export function controlFile({ name, version, description }: DebPackage): string {
  return [
    `Package: ${name}`,
    `Version: ${version}`,
    'Architecture: all',
    'Maintainer: Patchtrail demo <demo@patchtrail.invalid>',
    'Section: misc',
    'Priority: optional',
    `Description: ${description}`,
    '',
  ].join('\n');
}

/** An entry of a Debian changelog. */
export function changelogEntry(name: string, version: string, line: string, date: Date): string {
  const when = date.toUTCString().replace('GMT', '+0000');
  return `${name} (${version}) demo; urgency=medium\n\n  * ${line}\n\n -- Patchtrail demo <demo@patchtrail.invalid>  ${when}\n\n`;
}

function entry(name: string, mode: number, content?: string): Entry {
  return { name, mode, content: content === undefined ? 'directory' : Buffer.from(content) };
}

async function tarGz(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { name, mode, content } of entries) {
    if (content === 'directory') tar.entry({ name, mode, type: 'directory' });
    else tar.entry({ name, mode }, content);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk);
  return gzipSync(Buffer.concat(chunks));
}

function ar(members: readonly (readonly [string, Buffer])[]): Buffer {
  const parts: Buffer[] = [Buffer.from('!<arch>\n')];
  for (const [name, content] of members) {
    const fields = [
      name.padEnd(16),
      '0'.padEnd(12),
      '0'.padEnd(6),
      '0'.padEnd(6),
      '100644'.padEnd(8),
    ];
    parts.push(Buffer.from(`${fields.join('')}${String(content.length).padEnd(10)}\`\n`), content);
    if (content.length % 2 === 1) parts.push(Buffer.from('\n'));
  }
  return Buffer.concat(parts);
}
