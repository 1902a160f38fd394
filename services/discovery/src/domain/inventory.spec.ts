import { describe, expect, it } from '@jest/globals';
import { DomainError } from '@patchtrail/event-sourcing';
import {
  acceptInventory,
  assertPackages,
  differenceOf,
  type InstalledPackage,
} from './inventory.js';

const accepted = { sequence: 5, digest: 'a' };

describe('an inventory', () => {
  it.each([
    ['the first', null, { sequence: 0, digest: 'a' }, 'changed'],
    ['a newer one that differs', accepted, { sequence: 6, digest: 'b' }, 'changed'],
    ['a newer one of the same', accepted, { sequence: 9, digest: 'a' }, 'unchanged'],
    ['the same again', accepted, { sequence: 5, digest: 'a' }, 'repeat'],
    ['an older one of the same', accepted, { sequence: 4, digest: 'a' }, 'repeat'],
  ])('is taken: %s', (_, before, offered, acceptance) => {
    expect(acceptInventory(before, offered)).toBe(acceptance);
  });

  it.each([5, 4])('is refused at sequence %i with other content', (sequence) => {
    expect(() => acceptInventory(accepted, { sequence, digest: 'b' })).toThrow(
      new DomainError(
        'stale-inventory',
        `sequence: ${String(sequence)} must be above 5, the last one accepted`,
      ),
    );
  });
});

const hello: InstalledPackage = {
  name: 'hello',
  version: '1.0-1+b1',
  architecture: 'amd64',
  sourceName: 'hello',
  sourceVersion: '1.0-1',
  status: 'ii ',
};

describe('its packages', () => {
  it.each<[string, Partial<InstalledPackage>, string]>([
    ['version', { version: '1 0' }, 'packages[1].version: must be a Debian version'],
    [
      'source version',
      { sourceVersion: '' },
      'packages[1].sourceVersion: must be a Debian version',
    ],
    ['status', { status: 'xx' }, 'packages[1].status: must be a dpkg status abbreviation'],
    ['repetition', { name: 'hello' }, 'packages[1].name: hello:amd64 is listed twice'],
  ])('are refused for a wrong %s', (_, of, detail) => {
    const other = { ...hello, name: 'other', ...of };
    expect(() => {
      assertPackages([hello, other]);
    }).toThrow(new DomainError('invalid-inventory', detail));
  });

  it('may have one name in two architectures', () => {
    expect(() => {
      assertPackages([hello, { ...hello, architecture: 'i386' }]);
    }).not.toThrow();
  });

  it('differ by what was put and what went', () => {
    const other = { ...hello, name: 'other' };
    const upgraded = { ...hello, status: 'iF ' };
    expect(differenceOf([hello, other], [upgraded])).toEqual({ put: [upgraded], gone: [other] });
    expect(differenceOf([hello], [hello])).toEqual({ put: [], gone: [] });
  });
});
