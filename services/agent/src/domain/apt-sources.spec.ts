import assert from 'node:assert/strict';
import { describe, it } from '@jest/globals';
import { configTrustProblems, parseListFile, parseSourcesFile } from './apt-sources.js';

const FINGERPRINT = 'B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8';

describe('one-line sources', () => {
  it('reads binary sources with their options', () =>
    assert.deepEqual(
      parseListFile(
        [
          '# deb http://commented.example/ x main',
          `deb [arch=amd64 signed-by=${FINGERPRINT}] http://a.example/debian bookworm main contrib # here`,
          'deb-src http://a.example/debian bookworm main',
          'deb [trusted=yes] file:/srv/repo ./',
        ].join('\n'),
      ),
      {
        sources: [
          {
            uri: 'http://a.example/debian',
            suite: 'bookworm',
            components: ['main', 'contrib'],
            keyFingerprints: [FINGERPRINT],
          },
          { uri: 'file:/srv/repo', suite: './', components: [], keyFingerprints: [] },
        ],
        trustProblems: ['file:/srv/repo: trusted=yes'],
      },
    ));
});

describe('deb822 sources', () => {
  it('gives one source for each URI and suite', () =>
    assert.deepEqual(
      parseSourcesFile(
        [
          'Types: deb deb-src',
          '# a comment between fields',
          'URIs: http://a.example/debian http://b.example/debian',
          'Suites: bookworm',
          ' bookworm-updates',
          'Components: main',
          'Signed-By: /usr/share/keyrings/x.gpg',
        ].join('\n'),
      ).sources.map(({ uri, suite }) => `${uri} ${suite}`),
      [
        'http://a.example/debian bookworm',
        'http://a.example/debian bookworm-updates',
        'http://b.example/debian bookworm',
        'http://b.example/debian bookworm-updates',
      ],
    ));
  it('leaves out what is disabled or source only, and tells stanzas apart', () =>
    assert.deepEqual(
      parseSourcesFile(
        [
          'Types: deb\nURIs: http://off.example\nSuites: x\nEnabled: no',
          'Types: deb-src\nURIs: http://src.example\nSuites: x',
          'Types: deb\nURIs: http://on.example\nSuites: x\nTrusted: yes\nCheck-Valid-Until: no\nAllow-Weak: yes',
        ].join('\n\n'),
      ),
      {
        sources: [{ uri: 'http://on.example', suite: 'x', components: [], keyFingerprints: [] }],
        trustProblems: [
          'http://on.example: trusted=yes',
          'http://on.example: check-valid-until=no',
          'http://on.example: allow-weak=yes',
        ],
      },
    ));
});

describe('apt.conf', () => {
  it('is a problem where it switches a check off for every source', () =>
    assert.deepEqual(
      configTrustProblems(
        [
          'Acquire::Check-Valid-Until "false";',
          'APT::Get::AllowUnauthenticated "1";',
          'Acquire::AllowInsecureRepositories "0";',
          'APT::Install-Recommends "true";',
        ].join('\n'),
      ),
      ['apt.conf: Acquire::Check-Valid-Until false', 'apt.conf: APT::Get::AllowUnauthenticated 1'],
    ));
  it('is none with the defaults', () =>
    assert.deepEqual(configTrustProblems('Acquire::Check-Valid-Until "true";\nAPT "";\n'), []));
});
