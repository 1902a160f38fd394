import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AgentProcess, startAgentProcess } from './agent-process.js';
import { parseHistory } from './apt-history.js';
import { BAD_PACKAGE, BAD_VERSION, GOOD_VERSION, serveBadPackage } from './bad-package.js';
import { changelogEntry, type DebPackage } from './deb-package.js';
import type {
  DemoEndpoint,
  DemoSource,
  EndpointFacts,
  Fleet,
  FleetOptions,
  Upgrade,
} from './fleet.js';
import { BRITTLE, layOut } from './layout.js';
import { serveRepository, type SignedRepository } from './signed-repository.js';

const ARCHITECTURE = 'amd64';
const SECURITY_CODENAME = 'demo-security';
const OLD = '1.0-1';
const NEW = '1.0-1+deb1';

type Simulated = Readonly<{ name: string; fix: string }>;

/** Invented packages; their changelogs name CVE ids of a year that has none. */
const PACKAGES: readonly Simulated[] = [
  { name: 'demo-tls', fix: 'Check the length of a record (CVE-2099-0001).' },
  { name: 'demo-shell', fix: 'Do not run what a variable holds (CVE-2099-0002).' },
  { name: 'demo-zip', fix: 'Refuse paths that leave the folder (CVE-2099-0003, CVE-2099-0004).' },
];

/** The same flow without apt: endpoints are files, their updates come from signed repositories. */
export async function simulatedFleet(options: FleetOptions): Promise<Fleet> {
  const repository = await serveRepository({
    origin: 'Patchtrail demo security',
    label: 'Patchtrail demo security',
    codename: SECURITY_CODENAME,
    architecture: ARCHITECTURE,
    packages: PACKAGES.map(securityUpdate),
  });
  const badRepository = await serveBadPackage(ARCHITECTURE);
  const agents: AgentProcess[] = [];
  const endpoints = layOut(options.endpoints);
  const folder = join(options.workDir, 'endpoints');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'repository.json'), JSON.stringify(onOffer()));
  const sources = [sourceOf(repository), sourceOf(badRepository)];
  for (const endpoint of endpoints) {
    const file = stateFile(folder, endpoint);
    await writeFile(file, JSON.stringify(endpointState(endpoint, sources)));
    await writeFile(historyFile(folder, endpoint), '');
  }
  return {
    mode: 'simulated',
    endpoints,
    sources: sources.slice(0, 1),
    upgrades: PACKAGES.map(({ name }) => upgradeOf(name, OLD, NEW)),
    bad: {
      ...upgradeOf(BAD_PACKAGE, GOOD_VERSION, BAD_VERSION),
      failsOn: BRITTLE,
      source: sourceOf(badRepository),
    },
    startAgent: async (endpoint, serverUrl, token) => {
      const target = ['--simulate', stateFile(folder, endpoint)];
      const { workDir } = options;
      agents.push(
        await startAgentProcess({ name: endpoint.name, target, serverUrl, token, workDir }),
      );
    },
    observe: () => Promise.all(endpoints.map((endpoint) => observe(folder, endpoint))),
    close: async () => {
      await Promise.all(agents.map((agent) => agent.stop()));
      await Promise.all([repository.close(), badRepository.close()]);
    },
  };
}

function securityUpdate({ name, fix }: Simulated): DebPackage {
  const first = changelogEntry(name, OLD, 'First release.', new Date('2026-01-05'));
  return {
    name,
    version: NEW,
    description: `${name} of the simulated release`,
    changelog: `${changelogEntry(name, NEW, fix, new Date('2026-02-02'))}${first}`,
  };
}

function upgradeOf(name: string, from: string, to: string): Upgrade {
  return { package: name, sourcePackage: name, sourceVersion: to, from, to };
}

function sourceOf({ uri, codename, keyring }: SignedRepository): DemoSource {
  return { uri, suite: codename, components: ['main'], architectures: [ARCHITECTURE], keyring };
}

function onOffer() {
  const offer = (name: string, versions: readonly string[], origin: string) => ({
    ...{ name, architecture: 'all', sourceName: name },
    versions: versions.map((version) => ({ version, sourceVersion: version, origin })),
  });
  return {
    packages: [
      ...PACKAGES.map(({ name }) =>
        offer(name, [OLD, NEW], `demo-security:1/${SECURITY_CODENAME}`),
      ),
      offer(BAD_PACKAGE, [GOOD_VERSION, BAD_VERSION], 'demo:1/demo'),
    ],
  };
}

function endpointState(endpoint: DemoEndpoint, sources: readonly DemoSource[]) {
  const installed = (name: string, version: string) => ({
    ...{ name, version, architecture: 'all', sourceName: name, sourceVersion: version },
    status: 'ii ',
  });
  return {
    hostname: endpoint.name,
    platform: { os: 'demo', release: '1', codename: 'demo', architecture: ARCHITECTURE },
    hardwareModel: endpoint.hardwareModel,
    repository: 'repository.json',
    packages: [
      ...PACKAGES.map(({ name }) => installed(name, OLD)),
      installed(BAD_PACKAGE, GOOD_VERSION),
    ],
    holds: [],
    sources: sources.map(({ uri, suite, components }) => ({
      ...{ uri, suite, components },
      keyFingerprints: [],
    })),
    faults: [
      {
        ...{ package: BAD_PACKAGE, version: BAD_VERSION, hardwareModel: BRITTLE },
        ...{ during: 'install', class: 'maintainer-script', transient: false },
        leaves: 'half-configured',
        detail: 'this hardware is not supported',
      },
    ],
  };
}

const stateFile = (folder: string, { name }: DemoEndpoint) => join(folder, `${name}.json`);
const historyFile = (folder: string, { name }: DemoEndpoint) => join(folder, `${name}.history.log`);

async function observe(folder: string, endpoint: DemoEndpoint): Promise<EndpointFacts> {
  const state = JSON.parse(await readFile(stateFile(folder, endpoint), 'utf8')) as {
    packages: readonly { name: string; version: string; status: string }[];
  };
  const packages = Object.fromEntries(
    state.packages.map(({ name, version, status }) => [name, { version, status: status.trim() }]),
  );
  const history = await readFile(historyFile(folder, endpoint), 'utf8');
  return { endpoint, packages, history: parseHistory(history) };
}
