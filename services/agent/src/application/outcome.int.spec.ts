import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { EndpointFile } from '../adapters/simulated/simulated-files.js';
import { runAgent } from '../agent.js';
import { leaseOf } from '../leases.suite.js';
import { type PatchtrailServer, startPatchtrailServer } from '../patchtrail-server.suite.js';
import { makeSimulatedEndpoint, type SimulatedEndpoint } from '../simulated-endpoint.suite.js';

describe('an outcome that a server would not take as it is', () => {
  let server: PatchtrailServer;
  let endpoint: SimulatedEndpoint | null;
  beforeEach(async () => {
    server = await startPatchtrailServer();
    endpoint = null;
  });
  afterEach(async () => {
    await server.close();
    await endpoint?.remove();
  });

  const run = async (made: SimulatedEndpoint) => {
    endpoint = made;
    await runAgent(made.options(server.url), new AbortController().signal, () => undefined);
    return server.seen.reports.at(-1);
  };

  it('is reported without characters that no database keeps', async () => {
    const alpha = { package: 'alpha', version: '2.0', architecture: 'amd64' };
    server.control.offer = leaseOf(server.endpointId, alpha);
    const fault: EndpointFile['faults'][number] = {
      ...{ package: 'alpha', version: '2.0', during: 'install', leaves: 'unchanged' },
      ...{ class: 'maintainer-script', transient: false, detail: 'no \u0000 luck 🙂 \ud83d' },
    };
    const report = await run(await makeSimulatedEndpoint({ faults: [fault] }));
    expect(report).toMatchObject({ outcome: 'failed', detail: 'no  luck 🙂 \ufffd' });
  });

  it('lists 500 versions of a run that changed more, and says so', async () => {
    const names = Array.from({ length: 600 }, (_, n) => `p${n}`);
    const sources = names.map((name) => ({ architecture: 'amd64', sourceName: name, name }));
    const made = await makeSimulatedEndpoint({
      packages: sources.map((one) => {
        return { ...one, version: '1.0', sourceVersion: '1.0', status: 'ii ' };
      }),
    });
    const versions = ['1.0', '2.0'].map((version) => {
      return { version, sourceVersion: version, origin: 'Test:1/security' };
    });
    const repository = { packages: sources.map((one) => ({ ...one, versions })) };
    await writeFile(join(dirname(made.file), 'repository.json'), JSON.stringify(repository));
    const lease = leaseOf(server.endpointId, { package: 'p0', version: '2.0' });
    const artifacts = names.flatMap((name) => {
      const one = { package: name, version: '2.0', architecture: 'amd64' };
      return leaseOf(server.endpointId, one).patches.flatMap((patch) => patch.artifacts);
    });
    const patches = lease.patches.map((patch) => ({ ...patch, artifacts }));
    server.control.offer = { ...lease, patches };
    const report = await run(made);
    expect(report).toMatchObject({ outcome: 'verified', detail: '500 of 600 changes are listed.' });
    expect(report?.versions).toHaveLength(500);
  });
});
