import { describe, expect, it } from '@jest/globals';
import { assertGroup } from './device-group.js';
import {
  assertAttributes,
  assertReported,
  type AssignedAttributes,
  withChanges,
} from './endpoint-attributes.js';
import { assertActive, redeem } from './enrolment.js';
import { assertNames, readLocation, sourceLocation } from './source-location.js';

const attributes: AssignedAttributes = {
  ...{ department: 'Finance', environment: 'production', businessImpact: 'high' },
  ...{ exposure: 'public', location: '', deviceType: '', owner: '', timeZone: 'Europe/Berlin' },
  labels: { tier: '1' },
};
const refusal = (code: string, detail: string) => expect.objectContaining({ code, detail });

describe('attributes', () => {
  it.each<[Partial<AssignedAttributes>, string]>([
    [{ department: ' ' }, 'department: must not be empty'],
    [{ timeZone: 'Mars/Olympus' }, 'timeZone: must be the IANA name of a time zone'],
    [{ labels: { 'a b': '1' } }, 'labels.a b: is not a label name'],
    [{ labels: { a: 'x'.repeat(201) } }, 'labels.a: must be at most 200 characters'],
    [
      { labels: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`l${String(i)}`, ''])) },
      'labels: must be at most 50',
    ],
  ])('are refused: %#', (of, detail) => {
    expect(() => {
      assertAttributes({ ...attributes, ...of });
    }).toThrow(refusal('invalid-attributes', detail));
  });

  it('change where a value is given', () => {
    const changed = withChanges(attributes, { owner: 'ana', location: undefined });
    expect(changed).toEqual({ ...attributes, owner: 'ana' });
  });

  it.each([
    ['a host name', { hostname: 'a b' }, 'hostname: must be a host name'],
    [
      'an architecture',
      { architecture: 'AMD 64' },
      'platform.architecture: must be a Debian architecture',
    ],
  ])(
    'that are reported need %s',
    (
      _,
      { hostname = 'web', architecture = 'amd64' }: { hostname?: string; architecture?: string },
      detail,
    ) => {
      const platform = { os: 'debian', release: '12', codename: 'bookworm', architecture };
      expect(() => {
        assertReported({ hostname, platform, hardwareModel: '' });
      }).toThrow(refusal('invalid-attributes', detail));
    },
  );
});

describe('an enrolment token', () => {
  const now = '2026-11-21T09:00:00Z';
  const fresh = { expiresAt: '2026-11-21T09:00:01Z', usedBy: null };
  const used = { ...fresh, usedBy: { endpointId: 'e', credentialDigest: 'c' } };

  it('is good once, and again for the same credential', () => {
    expect(redeem(fresh, 'c', now)).toBeNull();
    expect(redeem(used, 'c', '2027-01-01T00:00:00Z')).toBe('e');
  });

  it.each([
    ['unknown-enrolment-token', null, 'c'],
    ['enrolment-token-used', used, 'd'],
    ['enrolment-token-expired', { ...fresh, expiresAt: now }, 'c'],
  ])('is refused: %s', (code, token, digest) => {
    expect(() => redeem(token, digest, now)).toThrow(expect.objectContaining({ code }));
  });

  it('leads to an endpoint that can retire', () => {
    expect(() => {
      assertActive('retired');
    }).toThrow(expect.objectContaining({ code: 'endpoint-retired' }));
  });
});

describe('a device group', () => {
  const finance = { name: 'g', selector: { attributes: { department: 'Finance' } } };

  it.each([
    ['name: must not be empty', { ...finance, name: ' ' }, null, null],
    ['selector: must name attributes or endpoints', { name: 'g', selector: {} }, null, null],
    [
      'selector.groupIds: groups do not nest',
      { name: 'g', selector: { groupIds: ['x'] } },
      null,
      null,
    ],
    ['selector.attributes.floor: is not an attribute of endpoints', finance, 'floor', null],
    ['selector.endpointIds: e9 is not an endpoint', finance, null, 'e9'],
  ])('is refused: %s', (detail, group, attribute, endpoint) => {
    expect(() => {
      assertGroup(group, attribute, endpoint);
    }).toThrow(refusal('invalid-group', detail));
  });
});

describe('the place of a source', () => {
  it.each([
    ['http://Deb.Debian.org/debian//', 'http://deb.debian.org/debian'],
    ['http://deb.debian.org:80/debian', 'http://deb.debian.org/debian'],
    ['file:/srv/archive/', 'file:///srv/archive'],
    ['https://a.test/x?y#z', 'https://a.test/x'],
  ])('%s is %s', (uri, expected) => {
    expect(sourceLocation(uri, 'stable')).toEqual({ uri: expected, suite: 'stable' });
  });

  it.each([
    ['deb.debian.org', 'stable', 'uri'],
    ['cdrom:[Debian]/', 'stable', 'uri'],
    ['http://user:secret@a.test/', 'stable', 'uri'],
    ['http://a.test', './', 'suite'],
    ['http://a.test', 'stable/', 'suite'],
    ['http://a.test', '../up', 'suite'],
    ['http://a.test', 'a/../b', 'suite'],
  ])('%s %s is refused for its %s', (uri, suite, field) => {
    expect(() => sourceLocation(uri, suite)).toThrow(
      expect.objectContaining({ code: 'invalid-source', detail: expect.stringMatching(field) }),
    );
  });

  it('that discovery could never fetch is left aside', () => {
    expect(readLocation('cdrom:[Debian]/', 'stable')).toBeNull();
  });

  it.each([[[]], [['main', 'main']], [['Main x']], [['../main']]])(
    '%j are no components',
    (names) => {
      expect(() => {
        assertNames('components', names);
      }).toThrow(expect.objectContaining({ code: 'invalid-source' }));
    },
  );
});
