import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type Applicability,
  applicabilityChanges,
  applicabilityOf,
  type EndpointCondition,
} from './applicability.js';
import type { InstalledPackage } from './inventory.js';

const patch = {
  patchId: 'p',
  sourcePackage: 'openssl',
  sourceVersion: '3.0.22-1',
  withdrawn: false,
};
const calm: EndpointCondition = {
  holds: new Set(),
  rebootRequired: false,
  rebootPackages: new Set(),
  silence: null,
};
const libssl = (sourceVersion: string, of: Partial<InstalledPackage> = {}): InstalledPackage => ({
  name: 'libssl3',
  version: sourceVersion,
  architecture: 'amd64',
  sourceName: 'openssl',
  sourceVersion,
  status: 'ii ',
  ...of,
});
const openssl = (sourceVersion: string, of: Partial<InstalledPackage> = {}) =>
  libssl(sourceVersion, { name: 'openssl', ...of });

describe('how an endpoint stands to a patch', () => {
  it.each<[string, string, InstalledPackage[], Partial<EndpointCondition>]>([
    ['at its version', 'INSTALLED', [libssl('3.0.22-1')], {}],
    ['above its version', 'INSTALLED', [libssl('3.0.23-1')], {}],
    ['below its version', 'MISSING', [libssl('3.0.19-1')], {}],
    ['with one package of two below', 'MISSING', [libssl('3.0.22-1'), openssl('3.0.19-1')], {}],
    ['half-configured at its version', 'FAILED', [libssl('3.0.22-1', { status: 'iF ' })], {}],
    ['unpacked at its version', 'FAILED', [libssl('3.0.22-1', { status: 'iU ' })], {}],
    ['half-installed at its version', 'FAILED', [libssl('3.0.22-1', { status: 'iH ' })], {}],
    ['to be reinstalled', 'FAILED', [libssl('3.0.22-1', { status: 'iiR' })], {}],
    ['half-configured below', 'MISSING', [libssl('3.0.19-1', { status: 'iF ' })], {}],
    [
      'failed in one package, below in another',
      'FAILED',
      [libssl('3.0.22-1', { status: 'iF ' }), openssl('3.0.19-1')],
      {},
    ],
    [
      'with a reboot wanted by one of its packages',
      'INSTALLED_PENDING_REBOOT',
      [libssl('3.0.22-1')],
      { rebootRequired: true, rebootPackages: new Set(['libssl3']) },
    ],
    [
      'with a reboot wanted by another package',
      'INSTALLED',
      [libssl('3.0.22-1')],
      { rebootRequired: true, rebootPackages: new Set(['linux-image-amd64']) },
    ],
    [
      'after the reboot that one of its packages wanted',
      'INSTALLED',
      [libssl('3.0.22-1')],
      { rebootPackages: new Set(['libssl3']) },
    ],
    [
      'below with a reboot wanted',
      'MISSING',
      [libssl('3.0.19-1')],
      { rebootRequired: true, rebootPackages: new Set(['libssl3']) },
    ],
    [
      'after a rebuild of the same source',
      'MISSING',
      [libssl('3.0.19-1', { version: '3.0.22-1+b1' })],
      {},
    ],
    ['with waiting triggers', 'INSTALLED', [libssl('3.0.22-1', { status: 'iW ' })], {}],
  ])('%s: %s', (_, state, installed, condition) => {
    expect(applicabilityOf(patch, installed, { ...calm, ...condition })?.state).toBe(state);
  });

  it('is nothing where nothing of it is installed', () => {
    expect(applicabilityOf(patch, [], calm)).toBeNull();
    expect(applicabilityOf(patch, [libssl('3.0.19-1', { status: 'rc ' })], calm)).toBeNull();
    expect(applicabilityOf(patch, [libssl('1', { sourceName: 'other' })], calm)).toBeNull();
  });

  it('names a hold, both versions and the packages', () => {
    const holds = new Set(['libssl3:amd64', 'vim:amd64']);
    expect(applicabilityOf(patch, [libssl('3.0.19-1')], { ...calm, holds })).toEqual({
      patchId: 'p',
      state: 'MISSING',
      reason: 'installed 3.0.19-1 is below openssl 3.0.22-1; held on the endpoint: libssl3:amd64',
      installedVersion: '3.0.19-1',
      packages: ['libssl3:amd64'],
    });
  });
});

describe('a withdrawn patch', () => {
  const withdrawn = { ...patch, withdrawn: true };

  it.each<[string, InstalledPackage]>([
    ['NOT_APPLICABLE', libssl('3.0.19-1')],
    ['NOT_APPLICABLE', libssl('3.0.22-1', { status: 'iF ' })],
    ['INSTALLED', libssl('3.0.22-1')],
  ])('is %s', (state, installed) => {
    expect(applicabilityOf(withdrawn, [installed], calm)).toMatchObject({ state });
  });

  it('is no change where it never was anything', () => {
    const row = applicabilityOf(withdrawn, [libssl('3.0.19-1')], calm);
    expect(row === null ? null : applicabilityChanges([], [row])).toEqual([]);
  });
});

describe('a silent endpoint', () => {
  it.each([
    ['2026-11-24T10:00:00Z', '3 d'],
    ['2026-11-21T09:59:59Z', '59 min'],
    ['2026-11-21T23:00:00Z', '14 h'],
    ['2026-11-21T09:00:42Z', '42 s'],
  ])('at %s is UNKNOWN for %s', (noticedAt, age) => {
    const silence = { lastSeenAt: '2026-11-21T09:00:00Z', noticedAt };
    expect(applicabilityOf(patch, [libssl('3.0.19-1')], { ...calm, silence })).toMatchObject({
      state: 'UNKNOWN',
      reason: `no inventory for ${age}, last seen 2026-11-21T09:00:00Z; then: installed 3.0.19-1 is below openssl 3.0.22-1`,
    });
  });

  it('does not need a withdrawn patch either', () => {
    const silence = { lastSeenAt: '2026-11-21T09:00:00Z', noticedAt: '2026-11-24T10:00:00Z' };
    const condition = { ...calm, silence };
    const withdrawn = { ...patch, withdrawn: true };
    expect(applicabilityOf(withdrawn, [libssl('3.0.19-1')], condition)?.state).toBe(
      'NOT_APPLICABLE',
    );
    expect(applicabilityOf(withdrawn, [libssl('3.0.22-1')], condition)?.state).toBe('UNKNOWN');
  });
});

describe('changes of applicability', () => {
  const row = (patchId: string, of: Partial<Applicability> = {}): Applicability => ({
    ...{ patchId, state: 'MISSING', reason: 'r', installedVersion: '1', packages: ['a:all'] },
    ...of,
  });

  it('are new rows, changed rows, and rows that went', () => {
    const before = [row('a'), row('b'), row('c')];
    const after = [row('a'), row('b', { state: 'INSTALLED' }), row('d')];
    expect(applicabilityChanges(before, after)).toEqual([
      { ...row('b', { state: 'INSTALLED' }), from: 'MISSING' },
      expect.objectContaining({
        ...{ patchId: 'c', from: 'MISSING', state: 'NOT_APPLICABLE' },
        ...{ installedVersion: null, packages: [] },
      }),
      { ...row('d'), from: null },
    ]);
  });

  it.each<Partial<Applicability>>([
    { reason: 'held' },
    { installedVersion: '2' },
    { packages: ['a:all', 'b:all'] },
  ])('are also a state that is the same for other reasons: %j', (of) => {
    expect(applicabilityChanges([row('a')], [row('a', of)])).toHaveLength(1);
  });

  it('applied to what was give what is', () => {
    const rows = fc
      .uniqueArray(
        fc.record({
          patchId: fc.constantFrom('a', 'b', 'c', 'd'),
          state: fc.constantFrom('MISSING' as const, 'INSTALLED' as const),
        }),
        { selector: ({ patchId }) => patchId },
      )
      .map((list) => list.map(({ patchId, state }) => row(patchId, { state })));
    fc.assert(
      fc.property(rows, rows, (before, after) => {
        const state = new Map(before.map((each) => [each.patchId, each.state]));
        for (const { patchId, state: to, from } of applicabilityChanges(before, after)) {
          expect(state.get(patchId) ?? null).toBe(from);
          if (to === 'NOT_APPLICABLE') state.delete(patchId);
          else state.set(patchId, to);
        }
        expect(state).toEqual(new Map(after.map((each) => [each.patchId, each.state])));
      }),
    );
  });
});
