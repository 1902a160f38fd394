import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { runProduct } from '../product.suite.js';

const REMEDY =
  'Install Java and Maven (Debian: apt-get install default-jre-headless maven), or set KAFKA_BROKERS to host:port of a Kafka that is there already.';

describe('the stack on a host that cannot run Kafka', () => {
  let workDir: string;
  let path: string;
  beforeEach(async () => {
    workDir = await mkdtemp(join(tmpdir(), 'patchtrail-stack-'));
    path = await mkdtemp(join(tmpdir(), 'patchtrail-path-'));
  });
  afterEach(async () => {
    for (const folder of [workDir, path]) await rm(folder, { recursive: true, force: true });
  });

  const refusal = async () => {
    const dataDir = join(workDir, 'data');
    const env = { PATH: path, XDG_CACHE_HOME: path };
    const script = runProduct({ dataDir, entry: 'stack/main.ts', env });
    expect(await script.exited).toEqual({ code: 1, signal: null });
    expect(await readdir(workDir)).toEqual([]);
    return script.errors();
  };

  it('says that Java is missing and what to do, before it starts anything', async () => {
    expect(await refusal()).toBe(
      `Patchtrail cannot start: a Kafka broker needs Java 17 or newer (java is not on the PATH). ${REMEDY}\n`,
    );
  });

  it('says that Maven is missing where the broker has not been fetched yet', async () => {
    await writeFile(join(path, 'java'), '#!/bin/sh\necho \'openjdk version "21.0.1"\' >&2\n', {
      mode: 0o755,
    });
    expect(await refusal()).toBe(
      `Patchtrail cannot start: Maven (mvn) fetches the Kafka broker once, and is not on the PATH. ${REMEDY}\n`,
    );
  });

  it('says which of its settings cannot be', async () => {
    const env = { PATCHTRAIL_SERVICES: 'approval' };
    const script = runProduct({ dataDir: workDir, entry: 'stack/main.ts', env });
    expect(await script.exited).toEqual({ code: 1, signal: null });
    expect(script.errors()).toMatch(/cannot start: .*PATCHTRAIL_SERVICES.* is not for the stack/);
  });
});
