import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type AgentProcess, startAgentProcess } from './agent-process.js';
import { parseHistory } from './apt-history.js';
import {
  BAD_PACKAGE,
  BAD_VERSION,
  GOOD_VERSION,
  PRODUCT_NAME_FILE,
  serveBadPackage,
} from './bad-package.js';
import { baseChroot } from './base-chroot.js';
import { chooseUpgrades } from './choose-upgrades.js';
import type { DebianHost } from './debian-host.js';
import type { DemoEndpoint, DemoSource, EndpointFacts, Fleet, FleetOptions } from './fleet.js';
import { BRITTLE, layOut } from './layout.js';
import { mountOverlay, mountProc, unmount } from './overlay.js';
import { command } from './run-command.js';
import type { SignedRepository } from './signed-repository.js';

type Machine = Readonly<{ endpoint: DemoEndpoint; root: string }>;

/** Endpoints as overlays of one minimal Debian, each with an agent that runs real apt in it. */
export async function chrootFleet(host: DebianHost, options: FleetOptions): Promise<Fleet> {
  const { progress, workDir } = options;
  const base = await baseChroot({ ...host, mirror: host.base.uri }, progress);
  const repository = await serveBadPackage(host.architecture);
  const mounted: string[] = [];
  const agents: AgentProcess[] = [];
  const close = async () => {
    await Promise.all(agents.map((agent) => agent.stop()));
    for (const root of mounted.reverse()) await unmount(root);
    await repository.close();
  };
  try {
    progress('Preparing the endpoints: package sources, apt-get update');
    const common = await mountOverlay([base], join(workDir, 'common'));
    mounted.push(common.root);
    await prepareCommon(common.root, host, repository);
    const upgrades = await chooseUpgrades(common.root);
    const machines: Machine[] = [];
    for (const endpoint of layOut(options.endpoints)) {
      const place = join(workDir, 'endpoints', endpoint.name);
      const { root } = await mountOverlay([common.upper, base], place);
      mounted.push(root);
      await mountProc(root);
      await writeIdentity(root, endpoint);
      machines.push({ endpoint, root });
    }
    return {
      mode: 'chroot',
      endpoints: machines.map(({ endpoint }) => endpoint),
      sources: await sourcesOf(host),
      upgrades,
      bad: badUpgrade(host, repository),
      startAgent: async (endpoint, serverUrl, token) => {
        const machine = machines.find((one) => one.endpoint === endpoint);
        if (machine === undefined) throw new Error(`There is no machine ${endpoint.name}.`);
        const target = ['--root', machine.root];
        agents.push(
          await startAgentProcess({ name: endpoint.name, target, serverUrl, token, workDir }),
        );
      },
      observe: () => Promise.all(machines.map(observe)),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function prepareCommon(
  root: string,
  host: DebianHost,
  repository: SignedRepository,
): Promise<void> {
  await writeFile(join(root, 'etc/apt/sources.list'), '');
  await writeFile(join(root, 'etc/apt/keyrings/patchtrail-demo.asc'), repository.keyring);
  await writeFile(
    join(root, 'etc/apt/sources.list.d/debian.sources'),
    [host.base, host.security]
      .map(
        ({ uri, suite }) =>
          `Types: deb\nURIs: ${uri}\nSuites: ${suite}\nComponents: main\nSigned-By: ${host.keyring}\n`,
      )
      .join('\n'),
  );
  await writeFile(
    join(root, 'etc/apt/sources.list.d/patchtrail-demo.list'),
    `deb [signed-by=/etc/apt/keyrings/patchtrail-demo.asc] ${repository.uri} ${repository.codename} main\n`,
  );
  await writeFile(join(root, 'etc/resolv.conf'), await readFile('/etc/resolv.conf'));
  // Nothing in an endpoint may start a service on the host.
  await writeFile(join(root, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  const inside = ['chroot', root];
  await command([...inside, 'apt-get', '-o', 'Acquire::Languages=none', 'update']);
  await command([...inside, 'apt-get', 'install', '-y', `${BAD_PACKAGE}=${GOOD_VERSION}`]);
  // What was done to prepare a machine is not part of its history.
  await writeFile(join(root, 'var/log/apt/history.log'), '');
}

async function writeIdentity(root: string, endpoint: DemoEndpoint): Promise<void> {
  const product = join(root, PRODUCT_NAME_FILE);
  await mkdir(dirname(product), { recursive: true });
  await writeFile(product, `${endpoint.hardwareModel}\n`);
  await writeFile(join(root, 'etc/hostname'), `${endpoint.name}\n`);
}

async function sourcesOf(host: DebianHost): Promise<readonly DemoSource[]> {
  const keyring = (await readFile(host.keyring)).toString('base64');
  return [host.base, host.security].map(({ uri, suite }) => ({
    ...{ uri, suite, keyring },
    components: ['main'],
    architectures: [host.architecture],
  }));
}

function badUpgrade(host: DebianHost, repository: SignedRepository): Fleet['bad'] {
  return {
    package: BAD_PACKAGE,
    sourcePackage: BAD_PACKAGE,
    sourceVersion: BAD_VERSION,
    from: GOOD_VERSION,
    to: BAD_VERSION,
    failsOn: BRITTLE,
    source: {
      uri: repository.uri,
      suite: repository.codename,
      components: ['main'],
      architectures: [host.architecture],
      keyring: repository.keyring,
    },
  };
}

async function observe({ endpoint, root }: Machine): Promise<EndpointFacts> {
  const format = '${Package}\\t${Version}\\t${db:Status-Abbrev}\\n';
  const listing = await command(['chroot', root, 'dpkg-query', '-W', '-f', format]);
  const packages = Object.fromEntries(
    listing
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [name = '', version = '', status = ''] = line.split('\t');
        return [name, { version, status: status.trim() }] as const;
      }),
  );
  const history = await readFile(join(root, 'var/log/apt/history.log'), 'utf8');
  return { endpoint, packages, history: parseHistory(history) };
}
