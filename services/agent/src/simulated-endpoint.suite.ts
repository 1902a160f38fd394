import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeJson } from './adapters/decoding/schemas.js';
import { type EndpointFile, EndpointFileSchema } from './adapters/simulated/simulated-files.js';
import type { AgentOptions } from './config.js';
import { TOKEN } from './patchtrail-server.suite.js';

const versionsOf = (...versions: string[]) =>
  versions.map((version) => ({ version, sourceVersion: version, origin: 'Test:1/security' }));

/** A folder with a state file, its repository and an agent's state folder. */
export async function makeSimulatedEndpoint(changes: Partial<EndpointFile> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'patchtrail-agent-test-sim-'));
  const file = join(folder, 'endpoint.json');
  const installed = (name: string, version: string) => ({
    ...{ name, version, architecture: 'amd64', status: 'ii ' },
    ...{ sourceName: name, sourceVersion: version },
  });
  const endpoint: EndpointFile = {
    hostname: 'sim-1',
    platform: { os: 'debian', release: '12', codename: 'bookworm', architecture: 'amd64' },
    hardwareModel: 'Model B',
    repository: 'repository.json',
    packages: [installed('alpha', '1.0'), installed('beta', '1.0')],
    holds: [],
    sources: [],
    faults: [],
    ...changes,
  };
  const repository = {
    packages: ['alpha', 'beta'].map((name) => ({
      ...{ name, architecture: 'amd64', sourceName: name },
      versions: versionsOf('1.0', '2.0'),
    })),
  };
  await writeFile(file, JSON.stringify(endpoint));
  await writeFile(join(folder, 'repository.json'), JSON.stringify(repository));
  const read = async () => decodeJson(file, EndpointFileSchema, await readFile(file, 'utf8'));
  return {
    file,
    stateDir: join(folder, 'state'),
    remove: () => rm(folder, { recursive: true }),
    /** `<version> <status>` */
    state: async (name: string) => {
      const one = (await read()).packages.find((candidate) => candidate.name === name);
      return `${String(one?.version)} ${String(one?.status)}`.trim();
    },
    history: () => readFile(join(folder, 'endpoint.history.log'), 'utf8').catch(() => ''),
    options: (serverUrl: string, rest: Partial<AgentOptions> = {}): AgentOptions => ({
      target: { kind: 'simulate', file },
      serverUrl,
      deploymentUrl: serverUrl,
      enrolToken: TOKEN,
      stateDir: join(folder, 'state'),
      pollMs: 10,
      inventoryMs: 600_000,
      probe: null,
      mode: 'once',
      requestTimeoutMs: 2_000,
      aptTimeoutMs: 10_000,
      ...rest,
    }),
  };
}
export type SimulatedEndpoint = Awaited<ReturnType<typeof makeSimulatedEndpoint>>;
