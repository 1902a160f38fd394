import assert from 'node:assert/strict';
import { describe, it } from '@jest/globals';
import { parseSimulation } from './apt-simulation.js';
import type { InstalledPackage } from './dpkg.js';
import { ExecutionFailure } from './failure.js';
import {
  candidatesOf,
  judgeInstall,
  judgeRollback,
  packageArgument,
  parseShownSums,
  refuseHeld,
  refuseOtherBytes,
} from './install-plan.js';
import type { Artifact, LeasedPatch } from './lease.js';

const artifact = (name: string, version: string, architecture = 'amd64'): Artifact => ({
  package: name,
  version,
  architecture,
  uri: 'http://archive.example/x.deb',
  sha256: 'a'.repeat(64),
  size: 1,
});
const patch = (...artifacts: Artifact[]): LeasedPatch => ({
  patchId: 'p',
  sourcePackage: 's',
  sourceVersion: '1',
  artifacts,
});
const installed = (name: string, version: string, rest: Partial<InstalledPackage> = {}) => ({
  name,
  version,
  architecture: 'amd64',
  sourceName: name,
  sourceVersion: version,
  status: 'ii ',
  ...rest,
});
const refusedAs = (failureClass: string, detail: RegExp) => (error: unknown) =>
  error instanceof ExecutionFailure &&
  error.failure.class === failureClass &&
  !error.failure.transient &&
  detail.test(error.failure.detail);

describe('artifacts that concern an endpoint', () => {
  const names = (patches: LeasedPatch[], packages: InstalledPackage[]) =>
    candidatesOf(patches, packages).map(
      (one) => `${one.artifact.package}:${one.artifact.architecture}`,
    );

  it('are those whose package is installed in that architecture', () =>
    assert.deepEqual(
      names(
        [patch(artifact('alpha', '2'), artifact('alpha', '2', 'i386'), artifact('beta', '2'))],
        [installed('alpha', '1')],
      ),
      ['alpha:amd64'],
    ));
  it('follow a package from one architecture to all', () =>
    assert.deepEqual(names([patch(artifact('alpha', '2', 'all'))], [installed('alpha', '1')]), [
      'alpha:all',
    ]));
  it.each([
    ['nothing of it is installed', [installed('other', '1')]],
    ['only its configuration files are left', [installed('alpha', '1', { status: 'rc ' })]],
  ])('are none when %s', (_, packages) =>
    assert.throws(
      () => candidatesOf([patch(artifact('alpha', '2'))], packages),
      refusedAs('not-applicable', /No package/),
    ),
  );
  it('are refused when two patches want two versions of one package', () =>
    assert.throws(
      () =>
        candidatesOf(
          [patch(artifact('alpha', '2')), patch(artifact('alpha', '3'))],
          [installed('alpha', '1')],
        ),
      refusedAs('plan-refused', /alpha:amd64 is asked for at 2 and at 3/),
    ));
  it('are refused while their owner holds them', () =>
    assert.throws(
      () =>
        refuseHeld(
          [{ artifact: artifact('alpha', '2'), installed: installed('alpha', '1') }],
          ['alpha'],
        ),
      refusedAs('held', /alpha/),
    ));
});

describe('plan of an install', () => {
  const judge = (text: string, packages: InstalledPackage[] = [installed('alpha', '1')]) =>
    judgeInstall({
      wanted: [artifact('alpha', '2')],
      simulation: parseSimulation(text),
      packages,
      automatic: ['alpha'],
    });
  const upgrade = 'Inst alpha [1] (2 o [amd64])';

  it('is saved with every package it touches', () =>
    assert.deepEqual(
      judge(`${upgrade}\nInst fresh (1 o [all])\nInst other [1] (2 o [amd64])`).changes.map(
        ({ package: name, from, to, automatic }) => [name, from, to, automatic],
      ),
      [
        ['alpha', '1', '2', true],
        ['fresh', null, '1', true],
        ['other', '1', '2', false],
      ],
    ));
  it('notes configuration files that an earlier installation left', () =>
    assert.deepEqual(
      judge(`${upgrade}\nInst old (1 o [amd64])`, [
        installed('alpha', '1'),
        installed('old', '0', { status: 'rc ' }),
      ]).changes.map(({ residualConfig }) => residualConfig),
      [false, true],
    ));
  it('is refused when it removes a package', () =>
    assert.throws(
      () => judge(`Remv beta [1]\n${upgrade}`),
      refusedAs('plan-refused', /would remove beta 1/),
    ));
  it('is refused when it leaves out what was asked for, or takes another version', () => {
    assert.throws(() => judge(''), refusedAs('plan-refused', /alpha at its present version/));
    assert.throws(
      () => judge('Inst alpha [1] (3 o [amd64])'),
      refusedAs('plan-refused', /alpha at 3, not at 2/),
    );
  });
});

describe('plan of a rollback', () => {
  const change = (name: string, from: string, to: string | null) => ({
    ...{ package: name, architecture: 'amd64', from, to },
    ...{ automatic: false, residualConfig: false, kept: null },
  });
  const planned = { changes: [change('alpha', '2', '1'), change('fresh', '1', null)] };
  const judge = (text: string) => judgeRollback(planned, parseSimulation(text));

  it('is the saved transaction backwards', () =>
    judge('Inst alpha [2] (1 local-deb [amd64])\nPurg fresh [1]'));
  it('is refused when it removes one package more', () =>
    assert.throws(
      () => judge('Inst alpha [2] (1 o [amd64])\nPurg fresh [1]\nRemv beta [1]'),
      refusedAs('plan-refused', /beta → removed/),
    ));
  it('is refused when it leaves one out', () =>
    assert.throws(() => judge('Purg fresh [1]'), refusedAs('plan-refused', /apt plans fresh/)));
});

describe('bytes of an artifact', () => {
  const shown = (sum: string) =>
    parseShownSums(
      `Package: alpha\nVersion: 2\nArchitecture: amd64\nSHA256: ${sum}\n\nPackage: x\n`,
    );

  it('are those that were approved', () =>
    refuseOtherBytes([artifact('alpha', '2')], shown('a'.repeat(64))));
  it('are refused when any index offers others', () =>
    assert.throws(
      () =>
        refuseOtherBytes(
          [artifact('alpha', '2')],
          [...shown('a'.repeat(64)), ...shown('b'.repeat(64))],
        ),
      refusedAs('artifact-mismatch', /alpha 2 amd64: the endpoint's index has SHA-256 bbb/),
    ));
});

describe('argument of apt-get', () => {
  it.each([
    ['amd64', 'alpha'],
    ['all', 'alpha'],
    ['i386', 'alpha:i386'],
  ])('for a package of %s is %s', (architecture, expected) =>
    assert.equal(packageArgument({ package: 'alpha', architecture }, 'amd64'), expected),
  );
});
