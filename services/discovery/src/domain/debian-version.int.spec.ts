import { spawnSync } from 'node:child_process';
import { expect, it } from '@jest/globals';
import { lane } from '@patchtrail/testing/lane';
import fc from 'fast-check';
import { compareVersions } from './debian-version.js';
import { versionText } from './debian-version.suite.js';

const PAIRS = 1_500;
const missing = spawnSync('dpkg', ['--version']).status === 0 ? null : 'dpkg is not installed';

/** One shell judges all pairs: a line of `lt`, `eq` or `gt` for each. */
const JUDGE = `while read -r a b; do
  if dpkg --compare-versions "$a" lt "$b"; then echo lt
  elif dpkg --compare-versions "$a" eq "$b"; then echo eq
  else echo gt; fi
done`;

lane('Debian versions against dpkg', missing, () => {
  it('agrees on generated pairs', () => {
    const pairs = fc.sample(fc.tuple(versionText, versionText), { numRuns: PAIRS, seed: 4_711 });
    const input = pairs.map(([a, b]) => `${a} ${b}\n`).join('');
    const verdicts = spawnSync('sh', ['-c', JUDGE], { input, encoding: 'utf8' })
      .stdout.trim()
      .split('\n');
    const ours = pairs.map(([a, b]) => {
      const order = Math.sign(compareVersions(a, b));
      return order < 0 ? 'lt' : order > 0 ? 'gt' : 'eq';
    });
    const disputed = pairs.filter((_, index) => ours[index] !== verdicts[index]);
    expect(verdicts).toHaveLength(PAIRS);
    expect(disputed).toEqual([]);
    expect(new Set(verdicts)).toEqual(new Set(['lt', 'eq', 'gt']));
  }, 120_000);
});
