import assert from 'node:assert/strict';
import { describe, it } from '@jest/globals';
import { type Change, deviations, type Found, inverseOf, isUntouched } from './transaction.js';

const change = (name: string, from: string | null, to: string | null): Change => ({
  package: name,
  architecture: 'amd64',
  from,
  to,
  automatic: false,
  residualConfig: false,
  kept: from === null ? null : { path: `/kept/${name}`, sha256: 'f00' },
});
const found = (name: string, version: string, status = 'ii ', architecture = 'amd64'): Found => ({
  package: name,
  architecture,
  version,
  status,
});
const saved = { changes: [change('alpha', '1.0', '2.0'), change('fresh', null, '1.0')] };

describe('what a transaction left', () => {
  it('is as planned', () =>
    assert.deepEqual(deviations(saved, [found('alpha', '2.0'), found('fresh', '1.0')]), []));
  it('is as planned on a package that the owner holds, or that changed its architecture', () =>
    assert.deepEqual(
      deviations(saved, [found('alpha', '2.0', 'hi '), found('fresh', '1.0', 'ii ', 'all')]),
      [],
    ));
  it('differs by version, by status and by absence', () => {
    assert.deepEqual(deviations(saved, [found('alpha', '1.0'), found('fresh', '1.0', 'iF ')]), [
      'alpha is at 1.0, not at 2.0.',
      "fresh has status 'iF ', not 'ii '.",
    ]);
    assert.deepEqual(deviations(saved, [found('alpha', '2.0')]), ['fresh is not installed.']);
  });
  it('differs where a removal left the package', () =>
    assert.deepEqual(
      deviations({ changes: [change('fresh', '1.0', null)] }, [found('fresh', '1.0')]),
      ['fresh is still installed.'],
    ));
  it('is untouched only if versions and statuses are the old ones', () => {
    assert.equal(isUntouched(saved, [found('alpha', '1.0')]), true);
    assert.equal(isUntouched(saved, [found('alpha', '1.0', 'iF ')]), false);
    assert.equal(isUntouched(saved, [found('alpha', '1.0'), found('fresh', '1.0')]), false);
    assert.equal(isUntouched(saved, []), false);
  });
});

describe('way back', () => {
  it('returns what was upgraded and removes what was new', () =>
    assert.deepEqual(inverseOf(saved, [found('alpha', '2.0'), found('fresh', '1.0')]).changes, [
      { ...change('alpha', '2.0', '1.0'), kept: { path: '/kept/alpha', sha256: 'f00' } },
      { ...change('fresh', '1.0', null), kept: null },
    ]));
  it('leaves out what is as it was', () =>
    assert.deepEqual(
      inverseOf(saved, [found('alpha', '1.0'), found('fresh', '1.0')]).changes.map(
        (one) => one.package,
      ),
      ['fresh'],
    ));
  it('repairs a package that is broken at its old version', () =>
    assert.deepEqual(
      inverseOf(saved, [found('alpha', '1.0', 'iHR')]).changes.map(({ from, to }) => [from, to]),
      [['1.0', '1.0']],
    ));
  it('is empty when nothing was changed', () =>
    assert.deepEqual(inverseOf(saved, [found('alpha', '1.0')]).changes, []));
});
