import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger } from '@patchtrail/platform';
import { eventually } from '@patchtrail/testing';
import { type Child, startChild } from './child.js';
import { supervise } from './supervise.js';

const log = createLogger('supervise-spec', 'silent');

/** Serves once more with each start: says which it is, and goes on until its input has ended. */
const PROGRAM = `
import { appendFileSync, readFileSync } from 'node:fs';
const file = process.env.STARTS;
appendFileSync(file, process.pid + '\\n');
const starts = readFileSync(file, 'utf8').trim().split('\\n').length;
if (process.env.FAILS === String(starts)) process.exit(3);
process.stdout.write('It is ready at http://127.0.0.1:' + starts + ' (remark)\\n');
process.stdin.once('end', () => process.exit()).resume();
`;

describe('a program', () => {
  let folder: string;
  let starts: string;
  let running: Pick<Child, 'stop'> | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'patchtrail-child-'));
    starts = join(folder, 'starts');
    await writeFile(join(folder, 'program.mjs'), PROGRAM);
  });
  afterEach(async () => {
    await running?.stop();
    running = undefined;
    await rm(folder, { recursive: true, force: true });
  });
  const program = (env: Record<string, string> = {}) => ({
    name: 'program',
    entry: pathToFileURL(join(folder, 'program.mjs')).href,
    env: { STARTS: starts, ...env },
  });
  const pids = async () => (await readFile(starts, 'utf8')).trim().split('\n').map(Number);

  it('says where it serves, and ends when it is told', async () => {
    const child = startChild(program());
    running = child;
    expect(await child.ready).toEqual({ url: 'http://127.0.0.1:1', remark: 'remark' });
    await child.stop();
    expect(await child.ended).toBe('SIGTERM');
  });

  it('that does not start is an error that says how it ended', async () => {
    const child = startChild(program({ FAILS: '1' }));
    running = child;
    await expect(child.ready).rejects.toThrow(
      'program ended while it started (exit status 3); its log says why.',
    );
    await expect(supervise(program({ FAILS: '2' }), log)).rejects.toThrow('exit status 3');
  });

  it('is started again whenever it has ended, until it is stopped', async () => {
    const { url, stop } = await supervise(program(), log);
    running = { stop };
    for (const count of [1, 2, 3]) {
      await eventually(() => expect(url()).toBe(`http://127.0.0.1:${count}`));
      process.kill((await pids()).at(-1) ?? 0, 'SIGKILL');
      await eventually(() => expect(url()).not.toBe(`http://127.0.0.1:${count}`));
    }
    await stop();
    const all = await pids();
    for (const pid of all) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(await pids()).toEqual(all);
  });

  it('is started again also after a start that has failed', async () => {
    const { url, stop } = await supervise(program({ FAILS: '2' }), log);
    running = { stop };
    process.kill((await pids())[0] ?? 0, 'SIGKILL');
    await eventually(() => expect(url()).toBe('http://127.0.0.1:3'));
  });
});
