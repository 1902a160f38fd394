import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { runScript, type RunningScript } from '@patchtrail/testing';
import { UNTIL_PARENT_ENDS } from './until-parent-ends.js';

let script: RunningScript | undefined;
afterEach(() => script?.kill());

describe('a process that must not be left alone', () => {
  it('ends when the one that has started it was killed', async () => {
    const fixture = new URL('left-alone.fixture.ts', import.meta.url);
    script = runScript(fixture, { args: ['parent', UNTIL_PARENT_ENDS] });
    await script.line(/^waiting$/);
    // Resolves when nobody holds its output open any more, the child included.
    await script.kill();
    expect(script.lines()).toEqual(['waiting', 'its parent has ended']);
  });

  it.each(['start', 'stack'])(
    'is what npm run %s starts, without a shell between',
    async (name) => {
      const file = new URL('../../../package.json', import.meta.url);
      const { scripts } = JSON.parse(await readFile(file, 'utf8')) as {
        scripts: Record<string, string>;
      };
      // Otherwise npm's SIGTERM would end the shell alone.
      expect(scripts[name]).toMatch(/ && exec node \S+main\.js --until-parent-ends$/);
    },
  );
});
