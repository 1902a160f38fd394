import { describe, expect, it } from '@jest/globals';
import { createStanzaReader, readStanzas } from './deb822.js';
import {
  assertSuite,
  distributionRelease,
  indexFileOf,
  isSecurityOrigin,
  parseRelease,
} from './release.js';
import { cvesBetween, parseChangelog } from './changelog.js';
import { indexPackageOf } from './index-package.js';

describe('control paragraphs', () => {
  const text = 'A: 1\nB: two\n lines\n .\n\n\nA: 2\nX-Unknown: y';

  it('are the same however the text is cut', () => {
    const whole = readStanzas(text);
    expect(whole.map((stanza) => [...stanza])).toEqual([
      [
        ['A', '1'],
        ['B', 'two\nlines\n.'],
      ],
      [
        ['A', '2'],
        ['X-Unknown', 'y'],
      ],
    ]);
    const reader = createStanzaReader();
    const pieces = Array.from(text).flatMap((character) => reader.push(character));
    expect([...pieces, ...reader.end()]).toEqual(whole);
  });

  it.each([
    ['no field', 'A: 1\nnonsense\n', 'line 2: neither a field nor a continuation line'],
    ['a field twice', 'A: 1\nA: 2\n', 'line 2: the field A stands twice in one paragraph'],
    ['a loose continuation', ' A: 1\n', 'line 1: a continuation line without a field'],
  ])('are refused with %s', (_, bad, detail) => {
    expect(() => readStanzas(bad)).toThrow(expect.objectContaining({ detail }));
  });
});

describe('a security archive', () => {
  it.each([
    [
      { label: 'Debian-Security', suite: 'oldstable-security', codename: 'bookworm-security' },
      true,
    ],
    [{ label: 'Debian-Security', suite: 'x', codename: 'buster' }, true],
    [{ label: 'Other', suite: 'x', codename: 'bookworm-security' }, true],
    [{ label: 'Ubuntu', suite: 'noble-security', codename: 'noble' }, true],
    [{ label: 'Ubuntu', suite: 'noble-updates', codename: 'noble' }, false],
    [{ label: 'Debian', suite: 'stable-security', codename: 'bookworm' }, false],
    [{ label: 'Debian', suite: 'stable', codename: 'bookworm' }, false],
  ])('%j: %s', (described, expected) => {
    expect(isSecurityOrigin(described)).toBe(expected);
  });

  it('belongs to the release that its codename names', () => {
    expect(distributionRelease('bookworm-security')).toBe('bookworm');
    expect(distributionRelease('bookworm-updates')).toBe('bookworm');
    expect(distributionRelease('bookworm-backports')).toBe('bookworm-backports');
  });
});

describe('a release', () => {
  const hash = 'a'.repeat(64);
  const text = (files: string) =>
    `Date: Fri, 20 Nov 2026 08:00:00 UTC\nSuite: s\nSHA256:\n${files}`;

  it('gives the smallest form of an index', () => {
    const path = 'main/binary-amd64/Packages';
    const release = parseRelease(text(` ${hash} 9 ${path}\n ${hash} 3 ${path}.xz\n`));
    expect(indexFileOf(release, 'main', 'amd64')).toMatchObject({ packing: 'xz', size: 3 });
    expect(indexFileOf(release, 'main', 'arm64')).toBeNull();
  });

  it.each(['', `${text('')}\n\nA: b\n`, text('').replace('UTC', 'CET')])(
    'is refused: %j',
    (bad) => {
      expect(() => parseRelease(bad)).toThrow(
        expect.objectContaining({ code: 'malformed-release' }),
      );
    },
  );
});

describe('a package of an index', () => {
  const fields = (of: Readonly<Record<string, string>>) =>
    new Map(
      Object.entries({
        ...{ Package: 'bash', Version: '5.2-2+b13', Architecture: 'amd64', Size: '7' },
        ...{ Filename: 'pool/b/bash.deb', SHA256: 'a'.repeat(64), ...of },
      }),
    );

  it('has the source that it names, or its own name and version', () => {
    const rebuilt = indexPackageOf(fields({ Source: 'bash (5.2-2)' }), 'main');
    expect(rebuilt).toMatchObject({ sourcePackage: 'bash', sourceVersion: '5.2-2' });
    const own = indexPackageOf(fields({}), 'main');
    expect(own).toMatchObject({ sourcePackage: 'bash', sourceVersion: '5.2-2+b13' });
    const other = indexPackageOf(fields({ Source: 'bash-src' }), 'main');
    expect(other).toMatchObject({ sourcePackage: 'bash-src', sourceVersion: '5.2-2+b13' });
  });

  it.each([
    ['Version', 'x y'],
    ['Size', '-1'],
    ['SHA256', 'abc'],
    ['Filename', '/etc/passwd'],
    ['Filename', 'pool/../../x'],
    ['Source', 'a (b'],
    ['Package', 'A B'],
  ])('is refused for the field %s being %j', (field, value) => {
    expect(() => indexPackageOf(fields({ [field]: value }), 'main')).toThrow(
      expect.objectContaining({ detail: expect.stringContaining(`the field ${field} `) }),
    );
  });
});

describe('a changelog', () => {
  const text = [
    'hello (1.10-1) stable-security; urgency=high',
    '  * Fix CVE-2026-1234 and CVE-2026-12345, CVE-2026-1234.',
    ' -- A <a@b.c>  Fri, 20 Nov 2026 08:00:00 +0000',
    'hello (1.9-1~rc1) experimental; urgency=low',
    '  * CVE-2025-0001 (not hello (3.0) stable; urgency=low)',
    'nonsense',
  ].join('\n');

  it('gives the uploads and the CVEs they name', () => {
    expect(parseChangelog(text)).toEqual([
      { version: '1.10-1', cves: ['CVE-2026-1234', 'CVE-2026-12345'] },
      { version: '1.9-1~rc1', cves: ['CVE-2025-0001'] },
    ]);
  });

  it('counts uploads after the one version up to the other', () => {
    const entries = parseChangelog(text);
    expect(cvesBetween(entries, '1.9-1~rc1', '1.10-1')).toEqual([
      'CVE-2026-1234',
      'CVE-2026-12345',
    ]);
    expect(cvesBetween(entries, '1.8', '1.9-1')).toEqual(['CVE-2025-0001']);
    expect(cvesBetween(entries, '1.10-1', '1.11')).toEqual([]);
  });
});

describe('the suite of a release', () => {
  const named = { label: '', suite: 'oldstable-security', codename: 'bookworm-security' };

  it.each([
    [named, 'oldstable-security'],
    [named, 'bookworm-security'],
    [{ ...named, suite: 'stable', codename: 'buster' }, 'buster/updates'],
    [{ ...named, suite: '', codename: '' }, 'anything'],
  ])('%j is asked for as %s', (release, asked) => {
    expect(() => {
      assertSuite(release, asked);
    }).not.toThrow();
  });

  it.each(['bookworm', 'stable-security', 'security'])('is not %s', (asked) => {
    expect(() => {
      assertSuite(named, asked);
    }).toThrow(expect.objectContaining({ code: 'other-suite' }));
  });
});
