import { afterEach, describe, expect, it } from '@jest/globals';
import { eventually } from './eventually.js';
import { runScript, type RunningScript } from './run-script.js';

const FIXTURE = new URL('./echo.fixture.ts', import.meta.url);

describe('a script of a test', () => {
  let script: RunningScript;
  afterEach(async () => {
    await script.kill();
  });

  it('runs TypeScript from source, is spoken to and answers by lines', async () => {
    script = runScript(FIXTURE, { args: ['one', 'two'] });
    expect(await script.line(/^ready/)).toBe('ready Fixture one two');
    expect(script.lines()[0]).toBe('decorated Fixture');
    script.say('hello');
    expect(await script.line(/^echo/)).toBe('echo hello');
    await eventually(() => expect(script.errors()).toContain('a complaint'));
    script.say('end');
    expect(await script.exited).toEqual({ code: 3, signal: null });
  });

  it('can be killed at a point that it announced', async () => {
    script = runScript(FIXTURE);
    await script.line(/^ready/);
    expect(await script.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('tells at once when a line can no longer come, with all that was written', async () => {
    script = runScript(FIXTURE);
    await script.line(/^ready/);
    script.say('end');
    await expect(script.line(/^never/, 60_000)).rejects.toThrow(
      /ended without \/\^never\/\.\ndecorated Fixture\nready Fixture/,
    );
  });

  it('tells when a line does not come in time', async () => {
    script = runScript(FIXTURE);
    await script.line(/^ready/);
    await expect(script.line(/^never/, 50)).rejects.toThrow('has not written /^never/');
  });
});
