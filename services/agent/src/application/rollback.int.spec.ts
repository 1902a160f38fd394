import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { decodeJson } from '../adapters/decoding/schemas.js';
import { type EndpointFile, EndpointFileSchema } from '../adapters/simulated/simulated-files.js';
import { runAgent } from '../agent.js';
import type { Lease } from '../domain/lease.js';
import { leaseOf, rollbackOf } from '../leases.suite.js';
import { type PatchtrailServer, startPatchtrailServer } from '../patchtrail-server.suite.js';
import { makeSimulatedEndpoint, type SimulatedEndpoint } from '../simulated-endpoint.suite.js';

const packageOf = (name: string) => ({ package: name, version: '2.0', architecture: 'amd64' });
const FAULT: EndpointFile['faults'][number] = {
  ...{ package: 'beta', version: '2.0', during: 'install', leaves: 'unchanged' },
  ...{ class: 'interrupted', transient: true, detail: 'cut off' },
};

describe('a rollback of an endpoint that took several attempts', () => {
  let server: PatchtrailServer;
  let endpoint: SimulatedEndpoint;
  beforeEach(async () => {
    server = await startPatchtrailServer();
    endpoint = await makeSimulatedEndpoint({ faults: [FAULT] });
  });
  afterEach(async () => {
    await server.close();
    await endpoint.remove();
  });

  const change = async (how: (file: EndpointFile) => EndpointFile) => {
    const file = decodeJson('file', EndpointFileSchema, await readFile(endpoint.file, 'utf8'));
    await writeFile(endpoint.file, JSON.stringify(how(file)));
  };
  const run = async (lease: Lease) => {
    server.control.offer = lease;
    await runAgent(endpoint.options(server.url), new AbortController().signal, () => undefined);
    return server.seen.reports.at(-1);
  };
  const bothIn = (rolloutId: string): Lease => {
    const [alpha, beta] = ['alpha', 'beta'].map((name) =>
      leaseOf(server.endpointId, packageOf(name), { rolloutId }),
    );
    const patches = [...(alpha?.patches ?? []), ...(beta?.patches ?? [])];
    return leaseOf(server.endpointId, packageOf('alpha'), { rolloutId, patches });
  };
  const states = () => Promise.all(['alpha', 'beta'].map(endpoint.state));

  /** The first attempt had upgraded one of the two packages when it was cut off. */
  const cutOffHalfWay = async (rolloutId: string) => {
    expect(await run(bothIn(rolloutId))).toMatchObject({ outcome: 'failed', transient: true });
    await change((file) => ({
      ...file,
      faults: [],
      packages: file.packages.map((one) =>
        one.name === 'alpha' ? { ...one, version: '2.0', sourceVersion: '2.0' } : one,
      ),
    }));
  };

  it('undoes what each of them changed', async () => {
    const rolloutId = randomUUID();
    await cutOffHalfWay(rolloutId);
    const retry = bothIn(rolloutId);
    expect(await run(retry)).toMatchObject({ outcome: 'verified' });
    expect(await states()).toEqual(['2.0 ii', '2.0 ii']);
    expect(await run(rollbackOf(retry))).toMatchObject({ outcome: 'rolled-back' });
    expect(await states()).toEqual(['1.0 ii', '1.0 ii']);
  });

  it('undoes what an earlier one changed when the last changed nothing', async () => {
    const rolloutId = randomUUID();
    await cutOffHalfWay(rolloutId);
    await change((file) => ({ ...file, holds: ['beta:amd64'] }));
    const retry = bothIn(rolloutId);
    expect(await run(retry)).toMatchObject({ outcome: 'failed', class: 'held' });
    expect(await run(rollbackOf(retry))).toMatchObject({ outcome: 'rolled-back' });
    expect(await states()).toEqual(['1.0 ii', '1.0 ii']);
  });

  it('leaves alone what another rollout changed', async () => {
    const other = leaseOf(server.endpointId, packageOf('alpha'));
    expect(await run(other)).toMatchObject({ outcome: 'verified' });
    await change((file) => ({ ...file, faults: [] }));
    const install = bothIn(randomUUID());
    expect(await run(install)).toMatchObject({ outcome: 'verified' });
    expect(await run(rollbackOf(install))).toMatchObject({ outcome: 'rolled-back' });
    expect(await states()).toEqual(['2.0 ii', '1.0 ii']);
  });
});
