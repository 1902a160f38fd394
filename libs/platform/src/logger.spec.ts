import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createLogger, untilSignal } from './index.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'patchtrail-log-'));
});
afterAll(() => rm(dir, { recursive: true }));

it('logs lines of JSON with what looks like a secret cut out', async () => {
  const path = join(dir, 'log');
  const file = await open(path, 'w');
  const log = createLogger('spec', 'info', file.fd);
  log.info({ id: 7, token: 's3cr3t', header: { authorization: 's3cr3t' } }, 'said');
  log.debug('not said');
  await file.close();
  const text = await readFile(path, 'utf8');
  expect(text).not.toContain('s3cr3t');
  expect(
    text
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line)),
  ).toMatchObject([{ name: 'spec', level: 30, id: 7, token: '[cut]', msg: 'said' }]);
});

it('waits for the first signal, and leaves the second alone', async () => {
  const before = process.listenerCount('SIGTERM');
  const signal = untilSignal();
  expect(process.listenerCount('SIGTERM')).toBe(before + 1);
  process.emit('SIGTERM', 'SIGTERM');
  expect(await signal).toBe('SIGTERM');
  expect(process.listenerCount('SIGTERM')).toBe(before);
  expect(process.listenerCount('SIGINT')).toBe(before);
});
