import assert from 'node:assert/strict';
import { runScript } from '@patchtrail/testing';
import { describe, it } from '@jest/globals';

const main = new URL('./main.ts', import.meta.url);

describe('patchtrail-agent', () => {
  it('ends with 2 and names option and rule when it cannot use its options', async () => {
    const agent = runScript(main, { args: ['--server', 'http://127.0.0.1:1', '--host'] });
    assert.deepEqual(await agent.exited, { code: 2, signal: null });
    assert.equal(agent.errors(), '--state-dir: is required\n');
  });
  it('says how it is used', async () => {
    const agent = runScript(main, { args: ['--help'] });
    assert.deepEqual(await agent.exited, { code: 0, signal: null });
    assert.match(agent.lines().join('\n'), /--root DIR \| --host \| --simulate FILE/);
  });
});
