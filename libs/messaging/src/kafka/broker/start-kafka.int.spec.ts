import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually, runScript, type RunningScript } from '@patchtrail/testing';
import { missingOwnKafka } from '@patchtrail/testing/kafka';
import { lane } from '@patchtrail/testing/lane';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openKafkaBus } from '../kafka-bus.js';
import { cacheFolder } from './config.js';
import { isServing } from './is-serving.js';
import { type RunningKafka, startKafka } from './start-kafka.js';

const SCRIPT = new URL('./broker.script.suite.ts', import.meta.url);
const DEADLINE_MS = 90_000;

lane('a Kafka broker of our own', await missingOwnKafka(), () => {
  let script: RunningScript | undefined;
  let kafka: RunningKafka | undefined;
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'patchtrail-spec-'));
  });
  afterEach(async () => {
    await script?.kill();
    await kafka?.stop();
    [script, kafka] = [undefined, undefined];
    await rm(dir, { recursive: true, force: true });
  });

  const serving = async (): Promise<[address: string, folder: string]> => {
    script = runScript(SCRIPT);
    const [, address = ''] = (await script.line(/^serving /, DEADLINE_MS)).split(' ');
    const [, folder = ''] = (await script.line(/^dir /)).split(' ');
    expect(await isServing(address)).toBe(true);
    return [address, folder];
  };
  const isGone = async (address: string, folder: string) => {
    expect(await isServing(address)).toBe(false);
    await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' });
  };

  it(
    'ends with the process that started it, and leaves nothing',
    async () => {
      const [address, folder] = await serving();
      await script?.kill('SIGKILL');
      await eventually(() => isGone(address, folder), { deadlineMs: DEADLINE_MS / 2 });
    },
    DEADLINE_MS,
  );

  it(
    'ends when it is stopped, and lets that process end',
    async () => {
      const [address, folder] = await serving();
      script?.say('stop');
      expect(await script?.exited).toEqual({ code: 0, signal: null });
      await isGone(address, folder);
    },
    DEADLINE_MS,
  );

  it(
    'keeps its data in a folder that is given, through stops and kills',
    async () => {
      kafka = await startKafka({ dir });
      const first = await openKafkaBus({ brokers: kafka.brokers });
      await first.ensureTopic('kept', 3);
      await first.close();
      await kafka.kill();
      await kafka.stop();
      expect(await readdir(dir)).toContain('data');
      kafka = await startKafka({ dir });
      const second = await openKafkaBus({ brokers: kafka.brokers });
      await expect(second.ensureTopic('kept', 4)).rejects.toThrow(/partitions-fixed/);
      await second.close();
    },
    2 * DEADLINE_MS,
  );

  it(
    'says why it cannot start, and is gone then',
    async () => {
      await mkdir(join(dir, 'data'));
      await writeFile(join(dir, 'data', 'meta.properties'), 'version=1\nnode.id=7\n');
      await expect(startKafka({ dir })).rejects.toThrow(
        /^Kafka ended while it started: .*cluster.id was not found/s,
      );
    },
    DEADLINE_MS,
  );

  it('takes no port that another program has', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    for (const ports of [
      { broker: port, controller: 0 },
      { broker: 0, controller: port },
    ]) {
      await expect(startKafka({ dir, ports })).rejects.toThrow(`Kafka cannot have port ${port}: `);
    }
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('a host without what a broker needs', () => {
  let path: string;
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'patchtrail-path-'));
  });
  afterEach(() => rm(path, { recursive: true, force: true }));
  const said = async (env: Record<string, string>) => {
    const script = runScript(SCRIPT, { env });
    await script.exited;
    return script.lines();
  };

  it('is told that Java is missing', async () => {
    const rule = 'a Kafka broker needs Java 17 or newer (java is not on the PATH)';
    expect(await said({ PATH: path })).toEqual([
      `missing: ${rule}`,
      `Error: Kafka cannot be started: ${rule}.`,
    ]);
  });

  const java = (version: string) => {
    const script = `#!/bin/sh\necho 'openjdk version "${version}" 2025-04-15' >&2\n`;
    return writeFile(join(path, 'java'), script, { mode: 0o755 });
  };

  it.each(['1.8.0_402', '11.0.2'])('is told that Java %s is too old', async (version) => {
    await java(version);
    const [line] = await said({ PATH: path });
    expect(line).toMatch(/^missing: a Kafka broker needs Java 17 or newer, and java is version 1/);
  });

  it('is told that Maven is missing, unless the broker is there already', async () => {
    await java('21.0.1');
    const [line] = await said({ PATH: path, XDG_CACHE_HOME: path });
    expect(line).toMatch(/^missing: Maven \(mvn\) fetches the Kafka broker once/);
  });

  it.each([
    ['/var/caches', '/var/caches/patchtrail'],
    ['relative', join(cacheFolder({}))],
    [undefined, join(cacheFolder({}))],
  ])('keeps what it fetches where XDG_CACHE_HOME=%s says', (home, folder) => {
    expect(cacheFolder({ XDG_CACHE_HOME: home })).toBe(folder);
    expect(cacheFolder({})).toMatch(/\/\.cache\/patchtrail$/);
  });
});
