import { describe, expect, it } from '@jest/globals';
import { parseHistory } from './apt-history.js';

const LOG = `
Start-Date: 2026-11-21  09:14:07
Commandline: apt-get install -y --only-upgrade libssl3=3.0.22 openssl=3.0.22
Upgrade: libssl3:amd64 (3.0.20, 3.0.22), openssl:amd64 (3.0.20, 3.0.22)
End-Date: 2026-11-21  09:14:09

Start-Date: 2026-11-21  09:15:00
Commandline: apt-get install -y tool=1.1
Upgrade: tool:all (1.0, 1.1)
Error: Sub-process /usr/bin/dpkg returned an error code (1)
End-Date: 2026-11-21  09:15:01

Start-Date: 2026-11-21  09:16:00
Downgrade: tool:all (1.1, 1.0)
`;

describe('an apt history.log', () => {
  it('tells packages, failure and a run that never ended', () => {
    expect(parseHistory(LOG)).toEqual([
      {
        startedAt: '2026-11-21T09:14:07',
        endedAt: '2026-11-21T09:14:09',
        packages: ['libssl3', 'openssl'],
        failed: false,
      },
      {
        startedAt: '2026-11-21T09:15:00',
        endedAt: '2026-11-21T09:15:01',
        packages: ['tool'],
        failed: true,
      },
      { startedAt: '2026-11-21T09:16:00', endedAt: null, packages: ['tool'], failed: false },
    ]);
  });

  it('may be empty', () => {
    expect(parseHistory('')).toEqual([]);
  });
});
