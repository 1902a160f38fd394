import { describe, expect, it } from '@jest/globals';
import {
  type Candidate,
  candidatesOf,
  nextRevision,
  type Offer,
  type PatchArchive,
  patchContent,
  patchName,
  settledChangelog,
  supersessions,
  widestFrom,
  withdrawals,
} from './patch.js';

const debian = { uri: 'https://deb.test', origin: 'Debian' };
const main: PatchArchive = {
  ...debian,
  sourceId: 's-main',
  label: 'Debian',
  suite: 'oldstable',
  codename: 'bookworm',
};
const security: PatchArchive = {
  ...debian,
  sourceId: 's-security',
  label: 'Debian-Security',
  suite: 'oldstable-security',
  codename: 'bookworm-security',
};
const archives = new Map([main, security].map((archive) => [archive.sourceId, archive]));
const offer = (offered: string, of: Partial<Offer> = {}): Offer => ({
  package: 'libssl3',
  architecture: 'amd64',
  sourcePackage: 'openssl',
  installedSourceVersion: '3.0.19-1',
  offeredSourceVersion: offered,
  sourceId: main.sourceId,
  ...of,
});
const openssl: Candidate = {
  vendor: 'debian',
  release: 'bookworm',
  sourcePackage: 'openssl',
  sourceVersion: '3.0.22-1',
  fromVersion: '3.0.19-1',
};

describe('candidates', () => {
  it('are the newest of what the archives in use offer', () => {
    const offers = [
      offer('3.0.20-1'),
      offer('3.0.22-1', { sourceId: security.sourceId }),
      offer('3.0.18-1'),
    ];
    expect(candidatesOf(offers, archives)).toEqual([openssl]);
  });

  it('are no older for coming from a security archive', () => {
    const offers = [offer('3.0.22-1'), offer('3.0.20-1', { sourceId: security.sourceId })];
    expect(candidatesOf(offers, archives)).toEqual([openssl]);
    expect(candidatesOf(offers.reverse(), archives)).toEqual([openssl]);
  });

  it('are one for all packages of a source, from the oldest version', () => {
    const offers = [
      offer('3.0.22-1'),
      offer('3.0.22-1', { package: 'openssl', installedSourceVersion: '3.0.11-1' }),
    ];
    expect(candidatesOf(offers, archives)).toEqual([{ ...openssl, fromVersion: '3.0.11-1' }]);
  });

  it('are none where nothing newer is on offer, or the archive is unknown', () => {
    expect(candidatesOf([offer('3.0.19-1'), offer('3.0.2-1')], archives)).toEqual([]);
    expect(candidatesOf([offer('3.0.22-1', { sourceId: 's-other' })], archives)).toEqual([]);
  });

  it('have the same name in every pocket of a release', () => {
    const inMain = candidatesOf([offer('3.0.22-1')], archives);
    const inSecurity = candidatesOf([offer('3.0.22-1', { sourceId: 's-security' })], archives);
    expect(inMain.map(patchName)).toEqual(['debian|bookworm|openssl@3.0.22-1']);
    expect(inSecurity).toEqual(inMain);
  });
});

describe('a patch', () => {
  const artifact = (name: string) => ({
    ...{ package: name, version: '3.0.22-1', architecture: 'amd64', size: 1 },
    ...{ uri: `https://deb.test/${name}.deb`, sha256: '0'.repeat(64) },
  });
  const changelog = {
    status: 'verified',
    detail: 'd',
    cves: ['CVE-2026-2', 'CVE-2026-1'],
  } as const;

  it('is the same whatever the order its parts came in', () => {
    const one = patchContent(openssl, security, [artifact('a'), artifact('b')], changelog);
    const other = patchContent(openssl, security, [artifact('b'), artifact('a')], {
      ...changelog,
      cves: [...changelog.cves].reverse(),
    });
    expect(other).toEqual(one);
    expect(one).toMatchObject({
      vendorKey: 'openssl@3.0.22-1',
      securityOrigin: true,
      cves: ['CVE-2026-1', 'CVE-2026-2'],
      changelog: { status: 'verified', detail: 'd' },
    });
  });

  it('gets a revision for new content only', () => {
    expect(nextRevision(null, 'x')).toBe(1);
    expect(nextRevision({ revision: 3, contentDigest: 'x' }, 'x')).toBeNull();
    expect(nextRevision({ revision: 3, contentDigest: 'x' }, 'y')).toBe(4);
  });

  it('gets a revision when it is offered again', () => {
    expect(nextRevision({ revision: 3, contentDigest: 'x' }, 'x', true)).toBe(4);
  });

  it.each<[string, readonly string[], boolean]>([
    ['nothing', [], true],
    ['only older versions', ['1.9', '1.9+b1'], true],
    ['a newer version', ['1.9', '1.10.1'], false],
    ['the same version, written otherwise', ['0:1.10'], false],
  ])('is withdrawn or not where archives carry %s', (_, onOffer, isWithdrawn) => {
    const unlisted = { sourceVersion: '1.10', onOffer };
    expect(withdrawals([unlisted])).toEqual(isWithdrawn ? [unlisted] : []);
  });

  it('keeps the widest span', () => {
    expect(widestFrom(null, '2')).toBe('2');
    expect(widestFrom('1', '2')).toBe('1');
    expect(widestFrom('2', '1')).toBe('1');
  });

  it('is not revised because a changelog cannot be read in another way', () => {
    const unread = (detail: string) => ({ status: 'unavailable', detail, cves: [] }) as const;
    expect(settledChangelog(unread('timeout'), unread('unreachable'))).toEqual(unread('timeout'));
    expect(settledChangelog(unread('timeout'), changelog)).toEqual(changelog);
    expect(settledChangelog(changelog, unread('timeout'))).toEqual(unread('timeout'));
    expect(settledChangelog(null, unread('timeout'))).toEqual(unread('timeout'));
  });

  it('gives way to the newest of its line', () => {
    const line = (superseded: boolean) => [
      { patchId: 'old', sourceVersion: '1.9', superseded },
      { patchId: 'new', sourceVersion: '1.10', superseded: false },
    ];
    expect(supersessions(line(false))).toEqual([{ patchId: 'old', supersededBy: 'new' }]);
    expect(supersessions(line(true))).toEqual([]);
    expect(supersessions([])).toEqual([]);
  });
});
