import { mkdir } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { openJournal } from '../adapters/disk/journal-file.js';
import { createServerClient } from '../adapters/http/server-client.js';
import { createSimulatedExecutor } from '../adapters/simulated/simulated-executor.js';
import { leaseOf } from '../leases.suite.js';
import { type PatchtrailServer, startPatchtrailServer } from '../patchtrail-server.suite.js';
import { makeSimulatedEndpoint, type SimulatedEndpoint } from '../simulated-endpoint.suite.js';
import type { AgentContext } from './context.js';
import { runLoop } from './loop.js';

const ROUNDS_MAX = 10;

describe('the loop', () => {
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

  /** An agent whose loop ends after a few rounds, or when `isOver` says so. */
  const agentOf = async (isOver: () => boolean, now: () => Date): Promise<AgentContext> => {
    const stop = new AbortController();
    const { signal } = stop;
    const urls = { discovery: server.url, deployment: server.url };
    const identity = { endpointId: server.endpointId, secret: 's'.repeat(43) };
    let pauses = 0;
    return {
      endpointId: server.endpointId,
      executor: createSimulatedExecutor(endpoint.file, () => undefined),
      journal: await openJournal(endpoint.stateDir, now),
      server: createServerClient(urls, identity, { timeoutMs: 2_000, signal }),
      log: () => undefined,
      now,
      signal,
      pause: () => {
        pauses += 1;
        if (isOver() || pauses === ROUNDS_MAX) stop.abort();
        return Promise.resolve();
      },
    };
  };
  const pace = { pollMs: 10, inventoryMs: 600_000 };

  it('carries out its leases though no inventory can be taken', async () => {
    const agent = await agentOf(
      () => server.seen.reports.length > 0,
      () => new Date(),
    );
    const alpha = { package: 'alpha', version: '2.0', architecture: 'amd64' };
    server.control.offer = leaseOf(server.endpointId, alpha);
    const broken = () => Promise.reject(new Error('apt-mark showhold ended with 100'));
    await runLoop(agent, pace, broken);
    expect(server.seen.reports).toMatchObject([{ outcome: 'verified' }]);
  });

  it('takes an inventory after its clock was set back', async () => {
    let year = 2040;
    let inventories = 0;
    const agent = await agentOf(
      () => {
        year = 2026;
        return inventories === 2;
      },
      () => new Date(Date.UTC(year, 0)),
    );
    await runLoop(agent, pace, () => {
      inventories += 1;
      return Promise.resolve(true);
    });
    expect(inventories).toBe(2);
  });
});
