import assert from 'node:assert/strict';
import { describe, it } from '@jest/globals';
import { classifyFailure } from './apt-failure.js';

const judged = (output: string, broken: readonly string[] = [], timedOut = false) => {
  const failure = classifyFailure({ output, broken, timedOut });
  return `${failure.class}${failure.transient ? ' transient' : ''}`;
};
const SCRIPT_FAILED = [
  'dpkg: error processing package alpha (--configure):',
  ' installed alpha package post-installation script subprocess returned error exit status 3',
  'E: Sub-process /usr/bin/dpkg returned an error code (1)',
].join('\n');

describe('cause of a failed run', () => {
  it.each([
    [
      'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt-get)',
      'lock-timeout transient',
    ],
    [
      'E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?',
      'lock-timeout transient',
    ],
    [
      'E: Failed to fetch http://archive.example/x.deb  Could not connect to archive.example:80',
      'network transient',
    ],
    ['E: Failed to fetch http://archive.example/x.deb  Hash Sum mismatch', 'network transient'],
    ["E: Version '9' for 'alpha' was not found", 'version-not-found'],
    ['E: Held packages were changed and -y was used without --allow-change-held-packages.', 'held'],
    ['E: Unable to correct problems, you have held broken packages.', 'dependency'],
    ["E: You don't have enough free space in /var/cache/apt/archives/.", 'disk-full'],
    [
      'E: There were unauthenticated packages and -y was used without --allow-unauthenticated',
      'untrusted',
    ],
    ['E: Packages were downgraded and -y was used without --allow-downgrades.', 'plan-refused'],
    ['E: Packages need to be removed but remove is disabled.', 'plan-refused'],
    [
      "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem. ",
      'dpkg-broken',
    ],
    ['E: Something nobody has seen', 'unknown'],
    ['', 'unknown'],
  ])('%s is %s', (output, expected) => assert.equal(judged(output), expected));

  it('is the script when dpkg says that a script failed', () =>
    assert.equal(judged(SCRIPT_FAILED, ["alpha 'iF '"]), 'maintainer-script'));
  it('is the full disk when that is what the unpacking met', () =>
    assert.equal(
      judged('dpkg: error processing archive x.deb: cannot write: No space left on device\n', [
        "alpha 'iHR'",
      ]),
      'disk-full',
    ));
  it('is never transient once a package is broken, whatever its script prints', () =>
    assert.equal(
      judged(`E: Could not get lock /run/mine\n${SCRIPT_FAILED}`, ["alpha 'iF '"]),
      'maintainer-script',
    ));
  it('does not believe a script that talks about locks', () =>
    assert.equal(
      judged('Could not get lock, it says\n Could not get lock, it says again'),
      'unknown',
    ));
  it('is the missing terminal log least of all', () =>
    assert.equal(
      judged(
        'E: Can not write log (Is /dev/pts mounted?) - posix_openpt\nE: Unable to locate package x',
      ),
      'version-not-found',
    ));
  it('is the time before all else', () =>
    assert.equal(judged(SCRIPT_FAILED, ["alpha 'iF '"], true), 'timeout'));
  it('is an interruption when packages are broken and nobody said why', () =>
    assert.equal(judged('Setting up alpha (3.0) ...', ["alpha 'iF '"]), 'interrupted'));
  it('keeps the messages and what dpkg left, within bounds', () => {
    const { detail } = classifyFailure({
      output: `Setting up alpha\n${SCRIPT_FAILED}\nE: ${'x'.repeat(5_000)}`,
      broken: ["alpha 'iF '"],
      timedOut: false,
    });
    assert.match(detail, /returned error exit status 3/);
    assert.doesNotMatch(detail, /Setting up/);
    assert.equal(detail.length, 1_500);
  });
});
