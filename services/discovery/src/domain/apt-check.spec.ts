import { describe, expect, it } from '@jest/globals';
import { type AptCheckInput, checkApt } from './apt-check.js';

const installed = (name: string, version: string, of: Readonly<Record<string, string>> = {}) => ({
  ...{
    name,
    version,
    architecture: 'amd64',
    sourceName: name,
    sourceVersion: version,
    status: 'ii ',
  },
  ...of,
});
const upgrade = (name: string, from: string, to: string) => ({
  ...{ package: name, architecture: 'amd64', from, to, origins: ['Debian:12/oldstable'] },
});
const check = (of: Partial<AptCheckInput>) =>
  checkApt({
    ...{ installed: [installed('a', '1')], pending: [], holds: new Set(), offered: new Map() },
    aptProblem: null,
    ...of,
  });
const offered = new Map([['a:amd64', ['2', '1']]]);

describe('the upgrades that apt plans', () => {
  it('agree with what the index offers', () => {
    const both = check({ pending: [upgrade('a', '1', '2')], offered });
    expect(both).toEqual({ agrees: true, problem: null, differences: [] });
    expect(check({ offered: new Map([['a:amd64', ['1']]]) }).agrees).toBe(true);
  });

  it.each<[string, Partial<AptCheckInput>]>([
    ['not-in-index', { pending: [upgrade('a', '1', '2')] }],
    ['index-older', { pending: [upgrade('a', '1', '3')], offered }],
    ['index-newer', { pending: [upgrade('a', '1', '1.5')], offered }],
    ['held', { holds: new Set(['a:amd64']), offered }],
    ['kept-back', { offered }],
    ['not-installed', { pending: [upgrade('b', '1', '2')] }],
    ['other-version-installed', { pending: [upgrade('a', '0', '2')], offered }],
  ])('differ: %s', (code, of) => {
    expect(check(of)).toMatchObject({ agrees: false, differences: [{ code }] });
  });

  it('cannot be compared where apt has a problem', () => {
    expect(check({ aptProblem: 'broken', offered })).toEqual({
      ...{ agrees: false, problem: 'broken', differences: [] },
    });
  });

  it('may change the architecture to all', () => {
    const pending = [{ ...upgrade('a', '1', '2'), architecture: 'all' }];
    expect(check({ pending, offered }).agrees).toBe(true);
  });

  it('leave out what is removed', () => {
    expect(check({ installed: [installed('a', '1', { status: 'rc ' })], offered }).agrees).toBe(
      true,
    );
  });
});
