import assert from 'node:assert/strict';
import { describe, it } from '@jest/globals';
import { parsePackages, parseVerify } from './dpkg.js';

describe('dpkg-query', () => {
  it('gives the source version beside the binary one', () =>
    assert.deepEqual(parsePackages('bash\t5.2.15-2+b13\tamd64\tbash\t5.2.15-2\tii \n'), [
      {
        name: 'bash',
        version: '5.2.15-2+b13',
        architecture: 'amd64',
        sourceName: 'bash',
        sourceVersion: '5.2.15-2',
        status: 'ii ',
      },
    ]));
  it('leaves out packages that were only ever mentioned', () =>
    assert.deepEqual(parsePackages('ghost\t\t\tghost\t\tun \n'), []));
  it('refuses a line with a field too few', () =>
    assert.throws(() => parsePackages('bash\t5.2\tamd64\tbash\tii \n'), /5 fields, not of 6/));
});

describe('dpkg --verify', () => {
  it('names altered and missing files', () =>
    assert.deepEqual(parseVerify('??5??????   /usr/lib/a\nmissing     /usr/lib/b\n'), [
      '/usr/lib/a',
      '/usr/lib/b',
    ]));
  it('lets configuration files and documentation be', () =>
    assert.deepEqual(
      parseVerify(
        '??5?????? c /etc/a\nmissing   c /etc/b\nmissing     /usr/share/doc/a/copyright\n.........   /x\n',
      ),
      [],
    ));
});
