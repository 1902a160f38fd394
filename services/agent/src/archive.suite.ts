import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

export type PackageSpec = Readonly<{
  name: string;
  version: string;
  depends?: string;
  /** Body of a shell script. */
  postinst?: string;
}>;

const fileNameOf = ({ name, version }: PackageSpec) =>
  `${name}_${version.replaceAll(':', '%3a')}_all.deb`;

function controlOf({ name, version, depends }: PackageSpec): string {
  return [
    `Package: ${name}`,
    `Version: ${version}`,
    'Architecture: all',
    'Maintainer: Patchtrail <patchtrail@example.org>',
    ...(depends === undefined ? [] : [`Depends: ${depends}`]),
    'Description: a package of a test',
  ].join('\n');
}

async function build(spec: PackageSpec, file: string): Promise<Buffer> {
  const tree = await mkdtemp(join(tmpdir(), 'patchtrail-agent-test-deb-'));
  await chmod(tree, 0o755);
  await mkdir(join(tree, 'DEBIAN'), { mode: 0o755 });
  await mkdir(join(tree, 'usr/share', spec.name), { recursive: true });
  await writeFile(join(tree, 'usr/share', spec.name, 'version'), spec.version);
  await writeFile(join(tree, 'DEBIAN/control'), `${controlOf(spec)}\n`);
  if (spec.postinst !== undefined) {
    const script = join(tree, 'DEBIAN/postinst');
    await writeFile(script, `#!/bin/sh\nset -e\n${spec.postinst}\n`);
    await chmod(script, 0o755);
  }
  await execute('dpkg-deb', ['-Zgzip', '--root-owner-group', '--build', tree, file]);
  await rm(tree, { recursive: true });
  return readFile(file);
}

/** A flat archive in a folder; `changed` is called after each of its changes. */
export function openArchive(folder: string, changed: () => Promise<void>) {
  const stanzas = new Map<string, string>();
  const index = async () => {
    await writeFile(join(folder, 'Packages'), [...stanzas.values()].join('\n'));
    await changed();
  };
  return {
    /** Answers the SHA-256 of the new package. */
    publish: async (spec: PackageSpec): Promise<string> => {
      const fileName = fileNameOf(spec);
      const bytes = await build(spec, join(folder, fileName));
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const fields = [`Filename: ./${fileName}`, `Size: ${bytes.length}`, `SHA256: ${sha256}`];
      stanzas.set(fileName, `${[controlOf(spec), ...fields].join('\n')}\n`);
      await index();
      return sha256;
    },
    /** Removes the file but not its entry in the index that endpoints have. */
    lose: (spec: PackageSpec): Promise<void> => rm(join(folder, fileNameOf(spec))),
    /** Takes a version out, as archives do with what they have superseded. */
    withdraw: async (spec: PackageSpec): Promise<void> => {
      stanzas.delete(fileNameOf(spec));
      await rm(join(folder, fileNameOf(spec)));
      await index();
    },
  };
}
