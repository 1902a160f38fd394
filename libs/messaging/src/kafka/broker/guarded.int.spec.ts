import { readdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { expect, it } from '@jest/globals';
import { eventually } from '@patchtrail/testing';
import { lane } from '@patchtrail/testing/lane';
import { startGuarded } from './guarded.js';

const THREADS = 16;
/** They start one after the other, each beside those that keep the processors busy already. */
const DEADLINE = { deadlineMs: 50_000 };
/** A program all of whose threads want the processor. */
const BUSY = `
const { Worker } = require('node:worker_threads');
for (let n = 0; n < ${String(THREADS)}; n += 1) new Worker('for (;;);', { eval: true });
`;

const missing = process.platform === 'linux' ? null : 'Linux, which lists threads and their states';

lane('a guarded program', missing, () => {
  it('has no thread that still runs once it is suspended', async () => {
    const output = await open('/dev/null', 'w');
    const args = ['-e', BUSY];
    const guarded = { file: process.execPath, args, output, temporaryFolder: null };
    const program = await startGuarded(guarded).finally(() => output.close());
    // At once, for what is still running then is what it is about.
    const states = () => {
      const folder = `/proc/${String(program.pid)}/task`;
      const stats = readdirSync(folder).map((id) => readFileSync(`${folder}/${id}/stat`, 'utf8'));
      return stats.map((stat) => stat.replace(/^.*\) (.).*$/s, '$1'));
    };
    const isBusy = () =>
      expect(states().filter((state) => state === 'R').length).toBeGreaterThanOrEqual(THREADS);
    try {
      await eventually(isBusy, DEADLINE);
      await program.suspend();
      expect(new Set(states())).toEqual(new Set(['T']));
      program.kill('SIGCONT');
      await eventually(isBusy, DEADLINE);
    } finally {
      program.kill('SIGKILL');
      await program.ended;
    }
  }, 120_000);
});
