import assert from 'node:assert/strict';
import { describe, it } from '@jest/globals';
import { attemptMark, entriesOf } from './history-log.js';

const ATTEMPT = '8c1fd2a6-31f0-4a43-9a40-2cd3b2d7f6a1';
const entry = (...lines: string[]) => `\nStart-Date: 2026-11-21  02:03:57\n${lines.join('\n')}\n`;
const command = `Commandline: apt-get -y -o ${attemptMark(ATTEMPT)} install -- alpha=2.0`;

describe('history.log', () => {
  it('finds the transaction of an attempt among others', () => {
    const text =
      entry('Commandline: apt-get install alpha', 'Install: alpha:amd64 (1.0)', 'End-Date: x') +
      entry(
        command,
        'Install: libgamma:amd64 (1.0, automatic)',
        'Upgrade: alpha:amd64 (1.0, 2.0), beta:amd64 (1:1.0, 1:2.0)',
        'End-Date: 2026-11-21  02:03:58',
      );
    assert.deepEqual(entriesOf(text, ATTEMPT), [
      {
        commandLine: command.slice('Commandline: '.length),
        packages: ['libgamma', 'alpha', 'beta'],
        error: null,
        ended: true,
      },
    ]);
  });
  it('tells a failed from an unfinished one', () => {
    const failed = entry(
      command,
      'Upgrade: alpha:amd64 (1.0, 2.0)',
      'Error: it broke',
      'End-Date: x',
    );
    const open = entry(command, 'Upgrade: alpha:amd64 (1.0, 3.0)');
    assert.deepEqual(
      entriesOf(failed + open, ATTEMPT).map(({ error, ended }) => ({ error, ended })),
      [
        { error: 'it broke', ended: true },
        { error: null, ended: false },
      ],
    );
  });
  it('has none for an attempt that never ran', () => assert.deepEqual(entriesOf('', ATTEMPT), []));
});
