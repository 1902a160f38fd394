import assert from 'node:assert/strict';
import { describe, it } from '@jest/globals';
import { parseSimulation } from './apt-simulation.js';

const installsOf = (text: string) => parseSimulation(text).installs;

describe('simulation of apt-get', () => {
  it('reads an upgrade with its origin', () =>
    assert.deepEqual(
      installsOf('Inst tzdata [2026a-0] (2026f-0 Debian-Security:12/oldstable-security [all])'),
      [
        {
          package: 'tzdata',
          architecture: 'all',
          from: '2026a-0',
          to: '2026f-0',
          origins: ['Debian-Security:12/oldstable-security'],
        },
      ],
    ));
  it('reads several origins, a foreign architecture and the packages it breaks for a while', () =>
    assert.deepEqual(
      installsOf(
        'Inst libssl3:i386 [3.0-1] (3.1-1 Debian:12.9/stable, Debian-Security:12/x [i386]) [openssl:amd64 ]',
      ),
      [
        {
          package: 'libssl3',
          architecture: 'i386',
          from: '3.0-1',
          to: '3.1-1',
          origins: ['Debian:12.9/stable', 'Debian-Security:12/x'],
        },
      ],
    ));
  it('reads a new package, and one that no origin is known of', () =>
    assert.deepEqual(installsOf('Inst alpha (1:1.0+b1 localhost [amd64])\nInst beta (2.0 [all])'), [
      {
        package: 'alpha',
        architecture: 'amd64',
        from: null,
        to: '1:1.0+b1',
        origins: ['localhost'],
      },
      { package: 'beta', architecture: 'all', from: null, to: '2.0', origins: [] },
    ]));
  it('reads removals and purges, and nothing else', () =>
    assert.deepEqual(
      parseSimulation('Reading package lists...\nRemv alpha [1.0]\nPurg beta:i386 [2.0] [x ]\n'),
      {
        installs: [],
        removals: [
          { package: 'alpha', version: '1.0', purge: false },
          { package: 'beta', version: '2.0', purge: true },
        ],
      },
    ));
  it.each(['Inst alpha', 'Remv alpha'])('refuses to guess: %s', (line) =>
    assert.throws(() => parseSimulation(line), /Not a line that apt-get -s prints/),
  );
});
