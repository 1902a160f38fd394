import assert from 'node:assert/strict';
import { describe, it } from '@jest/globals';
import { parseOsRelease } from './os-release.js';

describe('os-release', () => {
  it('reads quoted and bare values', () =>
    assert.deepEqual(
      parseOsRelease(
        'NAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n',
      ),
      { os: 'debian', release: '12', codename: 'bookworm' },
    ));
  it('says unknown for what is not there', () =>
    assert.deepEqual(parseOsRelease('ID=debian\nVERSION_ID=""\n'), {
      os: 'debian',
      release: 'unknown',
      codename: 'unknown',
    }));
});
