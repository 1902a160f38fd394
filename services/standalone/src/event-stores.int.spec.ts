import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { removePostgres } from '@patchtrail/postgres';
import { runProduct, startProduct } from './product.suite.js';

describe('the standalone profile on the event store in memory', () => {
  const env = { EVENT_STORE_URL: 'memory:' };
  let dataDir: string;
  beforeAll(async () => {
    dataDir = join(await mkdtemp(join(tmpdir(), 'patchtrail-memory-')), 'data');
  });
  afterAll(async () => {
    await removePostgres(join(dataDir, 'postgres'));
    await rm(join(dataDir, '..'), { recursive: true, force: true });
  });

  it('works once, for its rows would outlive its events', async () => {
    const product = await startProduct({ dataDir, env });
    const ready = await fetch(`${product.url}/health/ready`);
    expect(ready.status).toBe(200);
    expect(await product.stop()).toMatchObject({ code: 0 });

    const again = runProduct({ dataDir, env });
    const { code } = await again.exited;
    expect(code).toBe(1);
    expect(again.errors()).toMatch(/follows the event store memory:\S+, but .* is memory:/);
  }, 120_000);
});
