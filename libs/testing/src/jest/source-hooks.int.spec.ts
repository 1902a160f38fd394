import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const HOOKS = new URL('./source-hooks.mjs', import.meta.url);
const SWC = new URL('../../../../node_modules/@swc', import.meta.url);

describe('the cache of what runs from source', () => {
  let root: string;
  let cache: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'patchtrail-source-'));
    cache = join(root, 'node_modules/.cache/patchtrail-source');
    await cp(HOOKS, join(root, 'libs/testing/src/jest/source-hooks.mjs'));
    await mkdir(join(root, 'node_modules'));
    await symlink(SWC, join(root, 'node_modules/@swc'));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const write = (text: string) => writeFile(join(root, 'says.ts'), text);
  const says = async (): Promise<string> => {
    const hooks = join(root, 'libs/testing/src/jest/source-hooks.mjs');
    return (await run(process.execPath, ['--import', hooks, join(root, 'says.ts')])).stdout;
  };
  const kept = async () => (await readdir(cache)).filter((name) => name !== 'compiled');

  it('is asked again for the same text, and not for another', async () => {
    await write(`const text: string = 'first'; console.log(text);`);
    expect(await says()).toBe('first\n');
    const [name = ''] = await kept();
    const javaScript = await readFile(join(cache, name), 'utf8');
    await writeFile(join(cache, name), javaScript.replace('first', 'first, kept'));
    expect(await says()).toBe('first, kept\n');
    await write(`const text: string = 'second'; console.log(text);`);
    expect(await says()).toBe('second\n');
    expect(await kept()).toHaveLength(2);
  });

  it('is written whole by processes that start at once', async () => {
    await write(`const text: string = 'same'; console.log(text);`);
    expect(await Promise.all(Array.from({ length: 6 }, says))).toEqual(Array(6).fill('same\n'));
    expect(await kept()).toHaveLength(1);
  });

  it('is done without where nothing can be written', async () => {
    await writeFile(join(root, 'node_modules/.cache'), 'not a folder, whoever one is');
    await write(`const text: string = 'all the same'; console.log(text);`);
    expect(await says()).toBe('all the same\n');
  });
});
