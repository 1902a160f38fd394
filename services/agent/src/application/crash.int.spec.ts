import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, it } from '@jest/globals';
import { openJournal } from '../adapters/disk/journal-file.js';
import { createServerClient } from '../adapters/http/server-client.js';
import { createSimulatedExecutor } from '../adapters/simulated/simulated-executor.js';
import { entriesOf } from '../domain/history-log.js';
import type { Lease } from '../domain/lease.js';
import { leaseOf, rollbackOf } from '../leases.suite.js';
import { type PatchtrailServer, startPatchtrailServer } from '../patchtrail-server.suite.js';
import { makeSimulatedEndpoint, type SimulatedEndpoint } from '../simulated-endpoint.suite.js';
import type { AgentContext } from './context.js';
import { runCycle } from './cycle.js';

class Crash extends Error {}

/** Lets the crash happen at the n-th of the steps that it is shown; there is no step after it. */
function crashingAt(n: number) {
  let count = 0;
  return {
    step: () => {
      count += 1;
      if (n > 0 && count >= n) throw new Crash();
    },
  };
}
type Fuse = ReturnType<typeof crashingAt>;

type Call = (...args: never[]) => Promise<unknown>;
/** Steps before and after every call of the functions, which are the real ones. */
function fused<T extends Readonly<Record<string, Call>>>(
  functions: T,
  names: (keyof T)[],
  fuse: Fuse,
): T {
  const wrapped = { ...functions };
  for (const name of names) {
    const call = functions[name];
    if (call === undefined) continue;
    const fusedCall = async (...args: never[]) => {
      fuse.step();
      const result = await call(...args);
      fuse.step();
      return result;
    };
    Object.assign(wrapped, { [name]: fusedCall });
  }
  return wrapped;
}

const STEPS_MAX = 60;
const UPGRADE = { package: 'alpha', version: '2.0', architecture: 'amd64' };
const SECRET = 's'.repeat(43);

describe('agent that crashes at any point', () => {
  let server: PatchtrailServer;
  let endpoint: SimulatedEndpoint;

  beforeEach(async () => {
    server = await startPatchtrailServer();
    endpoint = await makeSimulatedEndpoint();
    await mkdir(endpoint.stateDir);
  });
  afterEach(async () => {
    await server.close();
    await endpoint.remove();
  });

  /** An agent as it comes up on what is on disk. */
  const boot = async (fuse: Fuse): Promise<AgentContext> => {
    const { signal } = new AbortController();
    const urls = { discovery: server.url, deployment: server.url };
    const identity = { endpointId: server.endpointId, secret: SECRET };
    const client = createServerClient(urls, identity, { timeoutMs: 2_000, signal });
    const journal = await openJournal(endpoint.stateDir, () => new Date());
    const executor = createSimulatedExecutor(endpoint.file, () => undefined);
    return {
      endpointId: server.endpointId,
      executor: fused(executor, ['prepare', 'apply', 'settle', 'audit'], fuse),
      journal: {
        attempts: journal.attempts,
        ...fused({ append: journal.append }, ['append'], fuse),
      },
      server: fused(client, ['confirm', 'report'], fuse),
      log: () => undefined,
      now: () => new Date(),
      signal,
      pause: () => Promise.resolve(),
    };
  };
  /** Crashes at step n, comes up again and carries on; answers whether it crashed. */
  const surviveCrash = async (n: number): Promise<boolean> => {
    const crashed = await runCycle(await boot(crashingAt(n))).then(
      () => false,
      (error: unknown) => {
        if (error instanceof Crash) return true;
        throw error;
      },
    );
    const calm = await boot(crashingAt(0));
    await runCycle(calm);
    await runCycle(calm);
    return crashed;
  };
  const check = async (lease: Lease, expected: string, state: string) => {
    assert.equal(await endpoint.state('alpha'), state);
    assert.equal(entriesOf(await endpoint.history(), lease.attemptId).length, 1);
    const told = server.seen.reports.filter(({ attemptId }) => attemptId === lease.attemptId);
    assert.notEqual(told.length, 0);
    assert.deepEqual([...new Set(told.map((one) => JSON.stringify(one)))].length, 1);
    assert.equal(told[0]?.outcome, expected);
  };

  it('installs and rolls back once, and reports one outcome, wherever it was', async () => {
    const none = crashingAt(0);
    let crashes = 0;
    for (let n = 1; n <= STEPS_MAX; n += 1) {
      const install = leaseOf(server.endpointId, UPGRADE);
      server.control.offer = install;
      const inInstall = await surviveCrash(n);
      const [report] = server.seen.reports.filter((one) => one.attemptId === install.attemptId);
      if (report?.outcome === 'failed') {
        // The crash came after the journal said "started" and before the package system ran.
        assert.equal(report.class, 'interrupted');
        assert.equal(report.transient, true);
        assert.equal(entriesOf(await endpoint.history(), install.attemptId).length, 0);
        assert.equal(await endpoint.state('alpha'), '1.0 ii');
        server.control.offer = leaseOf(server.endpointId, UPGRADE);
        await runCycle(await boot(none));
        const again = server.seen.reports.at(-1);
        assert.equal(again?.outcome, 'verified');
        server.control.offer = rollbackOf({ ...install, attemptId: again.attemptId });
        await runCycle(await boot(none));
        crashes += 1;
        continue;
      }
      await check(install, 'verified', '2.0 ii');
      const back = rollbackOf(install);
      server.control.offer = back;
      await runCycle(await boot(none));
      await check(back, 'rolled-back', '1.0 ii');
      if (!inInstall) break;
      crashes += 1;
    }
    assert.ok(crashes >= 15, `only ${crashes} points were reached`);
    assert.ok(crashes < STEPS_MAX, 'there are more points than were tried');
  }, 60_000);
});
