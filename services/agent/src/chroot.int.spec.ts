import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { runAgent } from './agent.js';
import type { AgentOptions } from './config.js';
import { chrootLane, type Chroot, makeChroot, missingForChroots } from './testing/chroot.js';
import { leaseOf } from './testing/leases.js';
import {
  type PatchtrailServer,
  startPatchtrailServer,
  TOKEN,
} from './testing/patchtrail-server.js';

const missing = await missingForChroots();
const lane = chrootLane('apt in a chroot', missing);

(lane.skipped ? describe.skip : describe)(lane.title, () => {
  let chroot: Chroot;
  let server: PatchtrailServer;
  let stateDir: string;

  beforeAll(async () => {
    assert.equal(missing, null);
    chroot = await makeChroot();
    server = await startPatchtrailServer();
    stateDir = await mkdtemp(join(tmpdir(), 'patchtrail-agent-test-state-'));
  }, 300_000);
  afterAll(async () => {
    await server.close();
    await chroot.remove();
    await rm(stateDir, { recursive: true });
  });

  it('upgrades', async () => {
    await chroot.archive.publish({ name: 'alpha', version: '1.0' });
    await chroot.install('alpha');
    const sha256 = await chroot.archive.publish({ name: 'alpha', version: '2.0' });
    server.control.offer = leaseOf(server.endpointId, { package: 'alpha', version: '2.0', sha256 });
    const options: AgentOptions = {
      target: { kind: 'root', path: chroot.path },
      serverUrl: server.url,
      deploymentUrl: server.url,
      enrolToken: TOKEN,
      stateDir,
      pollMs: 50,
      inventoryMs: 600_000,
      probe: null,
      mode: 'once',
      requestTimeoutMs: 5_000,
      aptTimeoutMs: 60_000,
    };
    await runAgent(options, new AbortController().signal);
    assert.equal(server.seen.reports[0]?.outcome, 'verified');
    assert.equal(await chroot.state('alpha'), '2.0 ii');
  }, 120_000);
});
