import assert from 'node:assert/strict';
import { describe, it } from '@jest/globals';
import { leaseOf } from '../../leases.suite.js';
import { decode, decodeJson, LeaseSchema, Malformed } from './schemas.js';

const ID = '8c1fd2a6-31f0-4a43-9a40-2cd3b2d7f6a1';
const lease = leaseOf(ID, { package: 'alpha', version: '1:2.0~rc1+b1-1', architecture: 'amd64' });
const refusedAt = (field: string) => (error: unknown) =>
  error instanceof Malformed && error.field === field && error.rule !== '';

describe('lease', () => {
  it('is taken as it is', () => assert.deepEqual(decode('lease', LeaseSchema, lease), lease));
  it.each([
    ['epoch', { epoch: -1 }],
    ['epoch', { epoch: '1' }],
    ['kind', { kind: 'reboot' }],
    ['attemptId', { attemptId: '../../etc' }],
    ['leaseExpiresAt', { leaseExpiresAt: 'tomorrow' }],
    ['patches', { patches: 'alpha' }],
  ])('is refused for its %s', (field, part) =>
    assert.throws(
      () => decode('lease', LeaseSchema, { ...lease, ...part }),
      refusedAt(`/${field}`),
    ),
  );
  it.each([
    ['package', '-oDPkg::Pre-Invoke::=id'],
    ['package', './evil.deb'],
    ['package', 'Alpha'],
    ['version', '-1'],
    ['version', '2.0-'],
    ['version', '2.0 beta'],
    ['architecture', 'amd64=1'],
    ['sha256', 'abc'],
  ])('is refused where the %s %s could be taken for something else', (field, value) => {
    const [patch] = lease.patches;
    const [artifact] = patch!.artifacts;
    const patches = [{ ...patch, artifacts: [{ ...artifact, [field]: value }] }];
    assert.throws(
      () => decode('lease', LeaseSchema, { ...lease, patches }),
      refusedAt(`/patches/0/artifacts/0/${field}`),
    );
  });
  it('is refused when it is not JSON', () =>
    assert.throws(() => decodeJson('lease', LeaseSchema, '<html>'), /lease: \/: must be JSON/));
});
