import { describe, expect, it } from '@jest/globals';
import { changelogOfDeb } from './deb-changelog.js';
import { arOf, changelogText, makeDeb } from './signed-repository.suite.js';
import { unpack } from './unpack.js';

const changelog = changelogText('hello', [{ version: '1.1-1', text: 'Fix CVE-2026-0001.' }]);
const hello = { name: 'hello', version: '1.1-1', changelog };
const read = { status: 'read', entries: [{ version: '1.1-1', cves: ['CVE-2026-0001'] }] };

describe('the changelog in a package', () => {
  it.each(['gz', 'zst', 'plain'] as const)('is read from a %s member', async (packing) => {
    expect(await changelogOfDeb(await makeDeb({ ...hello, packing }))).toEqual(read);
  });

  it('of a native package is the only one', async () => {
    const deb = await makeDeb({ ...hello, changelogFile: 'changelog.gz' });
    expect(await changelogOfDeb(deb)).toEqual(read);
  });

  it('may be that of a sibling', async () => {
    const deb = await makeDeb({ name: 'libhello1', version: '1.1-1', docLink: 'hello' });
    expect(await changelogOfDeb(deb)).toEqual({ status: 'elsewhere', package: 'hello' });
  });

  it('may be absent', async () => {
    const deb = await makeDeb({ name: 'hello', version: '1.1-1' });
    expect(await changelogOfDeb(deb)).toMatchObject({ status: 'absent' });
  });

  it('that names no upload counts as absent', async () => {
    const deb = await makeDeb({ ...hello, changelog: 'nothing that dpkg wrote\n' });
    expect(await changelogOfDeb(deb)).toMatchObject({ status: 'absent' });
  });

  it.each([
    ['no archive', Buffer.from('PK..')],
    ['no data member', arOf([['debian-binary', Buffer.from('2.0\n')]])],
    ['a cut member', arOf([['data.tar', Buffer.alloc(1_024)]]).subarray(0, 500)],
    ['a member that is not packed so', arOf([['data.tar.gz', Buffer.from('plain')]])],
    ['a member that is no tar', arOf([['data.tar', Buffer.alloc(700, 'x')]])],
  ])('refuses a file with %s', async (_, file) => {
    await expect(changelogOfDeb(file)).rejects.toMatchObject({ code: 'malformed-package' });
  });
});

it('a member that is cut is not read as far as it goes', async () => {
  const deb = await makeDeb({ ...hello, packing: 'plain' });
  await expect(changelogOfDeb(deb.subarray(0, -512))).rejects.toMatchObject({
    detail: expect.stringContaining('no proper header'),
  });
});

it.each(['-60', '', '1e2', '0x40'])('refuses a member whose size is %j', async (size) => {
  const archive = arOf([['notes', Buffer.alloc(64)]]);
  archive.write(size.padEnd(10), 8 + 48, 'latin1');
  await expect(changelogOfDeb(archive)).rejects.toMatchObject({
    detail: expect.stringContaining('the member at byte 8 has no proper header'),
  });
});

describe('unpacking', () => {
  const limits = { sizeMax: 1_000, code: 'malformed-index', name: 'Packages' } as const;
  const xz = Buffer.from(
    '/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQAeUGFja2FnZTogaGVsbG8KVmVyc2lvbjogMS4wLTEKCgAAmfk/nYytwB4AATcf6hiJPR+2830BAAAAAARZWg==',
    'base64',
  );

  async function textOf(bytes: Buffer, sizeMax = 1_000): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of unpack(bytes, 'xz', { ...limits, sizeMax })) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  }

  it('reads xz', async () => {
    expect(await textOf(xz)).toBe('Package: hello\nVersion: 1.0-1\n\n');
  });

  it('refuses xz that is cut', async () => {
    await expect(textOf(xz.subarray(0, -20))).rejects.toMatchObject({ code: 'malformed-index' });
  });

  it('refuses what unpacks above its bound', async () => {
    await expect(textOf(xz, 10)).rejects.toMatchObject({ code: 'too-large' });
  });
});
