import { openDatabase } from '@patchtrail/postgres';
import { afterEach, describe, expect, it } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { runScript, type RunningScript } from '../run-script.js';

const FIXTURE = new URL('./offer.fixture.ts', import.meta.url);

async function isUp(url: string): Promise<boolean> {
  try {
    await (await openDatabase({ url, applicationName: 'spec', poolMax: 1 })).close();
    return true;
  } catch {
    return false;
  }
}

describe('the PostgreSQL of a Jest run', () => {
  const runs: RunningScript[] = [];
  const begin = async (): Promise<RunningScript> => {
    const run = runScript(FIXTURE, { env: { DATABASE_URL: '', PATCHTRAIL_TEST_DATABASE_URL: '' } });
    runs.push(run);
    await run.line(/^offered/);
    return run;
  };
  const urlOf = async (run: RunningScript): Promise<string> => {
    run.say('start');
    return (await run.line(/^started /)).split(' ')[1] ?? '';
  };
  const foldersOf = async (run: RunningScript): Promise<string[]> =>
    (await readdir(tmpdir())).filter((name) => name.startsWith(`patchtrail-test-${run.pid}-`));
  afterEach(() => Promise.all(runs.splice(0).map((run) => run.kill())));

  it('is started by the first who asks and gone after the run', async () => {
    const run = await begin();
    expect(await foldersOf(run)).toEqual([]);
    const url = await urlOf(run);
    expect(await foldersOf(run)).toHaveLength(1);
    expect(await isUp(url)).toBe(true);
    run.say('end');
    expect(await run.exited).toEqual({ code: 0, signal: null });
    expect(await isUp(url)).toBe(false);
    expect(await foldersOf(run)).toEqual([]);
  });

  it('is cleared away by the next run when its own was killed', async () => {
    const killed = await begin();
    const url = await urlOf(killed);
    await killed.kill('SIGKILL');
    expect(await isUp(url)).toBe(true);
    await begin();
    expect(await isUp(url)).toBe(false);
    expect(await foldersOf(killed)).toEqual([]);
  });

  it('is left alone by another run while its own lives', async () => {
    const first = await begin();
    const url = await urlOf(first);
    await begin();
    expect(await isUp(url)).toBe(true);
    first.say('end');
    await first.exited;
  });
});
