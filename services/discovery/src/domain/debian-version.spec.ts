import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compareVersions, isVersion, newestOf, oldestOf } from './debian-version.js';
import { versionText } from './debian-version.suite.js';

describe('Debian versions', () => {
  it.each([
    ['1.0', '1.0', 0],
    ['31', '31-3', -1],
    ['31', '31-0', 0],
    ['1.0~rc1', '1.0', -1],
    ['1.0~~', '1.0~', -1],
    ['1.0', '1.0a', -1],
    ['1.0a', '1.0+', -1],
    ['1:0.1', '9.9', 1],
    ['0:1', '1', 0],
    ['1.09', '1.9', 0],
    ['1.10', '1.9', 1],
    ['5.2.15-2', '5.2.15-2+b13', -1],
    ['2.4.68-1~deb12u1', '2.4.68-1', -1],
    ['99999999999999999998', '99999999999999999999', -1],
  ])('%s against %s', (a, b, order) => {
    expect(Math.sign(compareVersions(a, b))).toBe(order);
  });

  it('is the opposite from the other side', () => {
    fc.assert(
      fc.property(versionText, versionText, (a, b) => {
        expect(Math.sign(compareVersions(a, b))).toBe(0 - Math.sign(compareVersions(b, a)));
      }),
    );
  });

  it('is transitive', () => {
    fc.assert(
      fc.property(versionText, versionText, versionText, (a, b, c) => {
        const [low = a, middle = b, high = c] = [a, b, c].sort(compareVersions);
        expect(compareVersions(low, middle)).toBeLessThanOrEqual(0);
        expect(compareVersions(middle, high)).toBeLessThanOrEqual(0);
        expect(compareVersions(low, high)).toBeLessThanOrEqual(0);
      }),
    );
  });

  it('finds the ends of a list', () => {
    expect(newestOf(['1.9', '1.10', '1.10~'])).toBe('1.10');
    expect(oldestOf(['1.9', '1.10', '1.9~'])).toBe('1.9~');
    expect(newestOf([])).toBeNull();
    expect(oldestOf([])).toBeNull();
  });

  it.each(['', 'a:1', '1 0', '1_0', '1'.repeat(201)])('does not accept %j', (text) => {
    expect(isVersion(text)).toBe(false);
  });
});
