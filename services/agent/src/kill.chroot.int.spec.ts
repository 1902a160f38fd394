import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, runScript, type RunningScript } from '@patchtrail/testing';
import { lane } from '@patchtrail/testing/lane';
import { afterAll, afterEach, beforeAll, it } from '@jest/globals';
import { attemptMark, entriesOf } from './domain/history-log.js';
import type { Lease } from './domain/lease.js';
import { type Chroot, makeChroot, missingForChroots } from './chroot.suite.js';
import { leaseOf } from './leases.suite.js';
import { type PatchtrailServer, startPatchtrailServer, TOKEN } from './patchtrail-server.suite.js';

const missing = await missingForChroots();
const DEADLINE = { deadlineMs: 30_000 };

/** The run of apt that carries the mark of the attempt; it leads a process group of its own. */
async function aptOf({ attemptId }: Lease): Promise<number | undefined> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.startsWith('apt-get') && line.includes(attemptMark(attemptId))) return Number(pid);
  }
  return undefined;
}

lane('agent that is killed during a run of apt', missing, () => {
  let chroot: Chroot;
  let server: PatchtrailServer;
  let stateDir: string;
  const cleanups: (() => Promise<void>)[] = [];
  const agents: RunningScript[] = [];

  beforeAll(async () => {
    assert.equal(missing, null, String(missing));
    chroot = await makeChroot();
    cleanups.push(chroot.remove);
    stateDir = await mkdtemp(join(tmpdir(), 'patchtrail-agent-test-state-'));
    cleanups.push(() => rm(stateDir, { recursive: true }));
    server = await startPatchtrailServer();
    cleanups.push(server.close);
  }, 300_000);
  afterEach(async () => {
    // A killed agent would leave its apt-get update behind, which locks the next test out.
    for (const agent of agents.splice(0)) await agent.kill('SIGTERM');
    if (missing === null) server.seen.reports.length = 0;
  }, 120_000);
  afterAll(async () => {
    for (const cleanUp of cleanups.reverse()) await cleanUp();
  });

  const startAgent = () => {
    const args = ['--root', chroot.path, '--server', server.url, '--state-dir', stateDir];
    const agent = runScript(new URL('./main.ts', import.meta.url), {
      args: [...args, '--enrol-token', TOKEN, '--poll-ms', '50'],
    });
    agents.push(agent);
    return agent;
  };
  const says = (agent: RunningScript, pattern: RegExp) =>
    eventually(() => {
      assert.match(agent.errors(), pattern);
    }, DEADLINE);
  /** The test lets go of the script by this file; the second time it runs it does not wait. */
  const letGo = (name: string) => writeFile(join(chroot.path, `srv/${name}.go`), '');

  /** An agent in the middle of an upgrade whose script waits to be let go. */
  const upgrading = async (name: string) => {
    await chroot.archive.publish({ name, version: '1.0' });
    await chroot.install(`${name}=1.0`);
    const sha256 = await chroot.archive.publish({
      ...{ name, version: '2.0' },
      postinst: [
        `[ ! -e /srv/${name}.seen ] || exit 0`,
        `touch /srv/${name}.seen`,
        `tries=0`,
        `while [ ! -e /srv/${name}.go ] && [ $tries -lt 600 ]; do sleep 0.1; tries=$((tries+1)); done`,
      ].join('\n'),
    });
    const lease = leaseOf(server.endpointId, { package: name, version: '2.0', sha256 });
    server.control.offer = lease;
    const agent = startAgent();
    await says(agent, new RegExp(`pmstatus:${name}:[^"]*Configuring`));
    await eventually(() => readFile(join(chroot.path, `srv/${name}.seen`)), DEADLINE);
    return { lease, agent };
  };
  const settled = async (name: string, lease: Lease) => {
    await eventually(() => {
      assert.equal(server.seen.reports.at(-1)?.outcome, 'verified');
    }, DEADLINE);
    assert.equal(server.seen.reports.length, 1);
    assert.equal(await chroot.state(name), '2.0 ii');
    assert.equal(entriesOf(await chroot.history(), lease.attemptId).length, 1);
    assert.equal(await chroot.inside('dpkg', '--audit'), '');
  };

  it('waits for the run that went on without it', async () => {
    const { lease, agent } = await upgrading('orphan');
    await agent.kill('SIGKILL');
    assert.notEqual(await aptOf(lease), undefined);
    const next = startAgent();
    await says(next, /"event":"run-still-going"/);
    assert.deepEqual(server.seen.reports, []);
    await letGo('orphan');
    await settled('orphan', lease);
  }, 120_000);

  it.each([
    ['while dpkg still has notes of it', 'widow', ''],
    ['when dpkg only knows what is half done', 'heir', 'dpkg --set-selections </dev/null'],
  ])(
    'completes, without a second one, the run that was killed with it, %s',
    async (_, name, takeUp) => {
      const { lease, agent } = await upgrading(name);
      await agent.kill('SIGKILL');
      process.kill(-((await aptOf(lease)) ?? Number.NaN), 'SIGKILL');
      await letGo(name);
      await eventually(async () => {
        assert.equal(await aptOf(lease), undefined);
      }, DEADLINE);
      await chroot.inside('sh', '-c', takeUp);
      assert.notEqual(await chroot.inside('dpkg', '--audit'), '');
      startAgent();
      await settled(name, lease);
    },
    120_000,
  );

  it('ends on SIGTERM, but not before the run and its report', async () => {
    const { lease, agent } = await upgrading('patient');
    const ended = agent.kill('SIGTERM');
    await says(agent, /"event":"stopping"/);
    assert.notEqual(await aptOf(lease), undefined);
    await letGo('patient');
    assert.deepEqual(await ended, { code: 0, signal: null });
    await settled('patient', lease);
  }, 120_000);
});
