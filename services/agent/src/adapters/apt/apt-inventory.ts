import { hostname } from 'node:os';
import type { EndpointFacts, Inventory, PendingUpgrade } from '../../application/executor.js';
import { parseSimulation } from '../../domain/apt-simulation.js';
import {
  configTrustProblems,
  type ParsedSources,
  parseListFile,
  parseSourcesFile,
} from '../../domain/apt-sources.js';
import type { InstalledPackage } from '../../domain/dpkg.js';
import { parseOsRelease } from '../../domain/os-release.js';
import { dpkgAudit, heldNames, nativeArchitecture, packagesOf } from './apt-state.js';
import type { Root } from './root.js';
import { said } from '../../domain/said.js';

const trimmed = (text: string | null, otherwise: string) => {
  const value = (text ?? '').trim();
  return value === '' ? otherwise : value;
};

export async function aptFacts(root: Root): Promise<EndpointFacts> {
  const osRelease = (await root.read('/etc/os-release')) ?? '';
  return {
    hostname: trimmed(await root.read('/etc/hostname'), hostname()),
    platform: {
      ...parseOsRelease(osRelease),
      architecture: await nativeArchitecture(root),
    },
    hardwareModel: trimmed(await root.read('/sys/class/dmi/id/product_name'), 'unknown'),
  };
}

async function readSources(root: Root): Promise<ParsedSources> {
  const folder = '/etc/apt/sources.list.d';
  const files = (await root.list(folder)).map((name) => `${folder}/${name}`);
  const parsed: ParsedSources[] = [];
  for (const file of ['/etc/apt/sources.list', ...files]) {
    const text = (await root.read(file)) ?? '';
    if (file.endsWith('.list')) parsed.push(parseListFile(text));
    if (file.endsWith('.sources')) parsed.push(parseSourcesFile(text));
  }
  return {
    sources: parsed.flatMap(({ sources }) => sources),
    trustProblems: parsed.flatMap(({ trustProblems }) => trustProblems),
  };
}

/** A hold is by name; where a name is installed for several architectures each is held. */
function holdsOf(
  held: readonly string[],
  packages: readonly InstalledPackage[],
): readonly string[] {
  return held.flatMap((name) => {
    if (name.includes(':')) return [name];
    const known = packages.filter((one) => one.name === name);
    return known.map(({ architecture }) => `${name}:${architecture}`);
  });
}

async function pendingUpgrades(root: Root): Promise<readonly PendingUpgrade[]> {
  const { installs } = parseSimulation(await root.output(['apt-get', '-s', '-q', 'dist-upgrade']));
  return installs.flatMap(({ from, ...install }) => (from === null ? [] : [{ ...install, from }]));
}

async function upgradesOrProblem(root: Root) {
  try {
    return { upgrades: await pendingUpgrades(root), problem: null };
  } catch (error) {
    return { upgrades: [], problem: said(error) };
  }
}

async function rebootState(root: Root) {
  const required = (await root.list('/run')).includes('reboot-required');
  const packages = (await root.read('/run/reboot-required.pkgs')) ?? '';
  const names = packages.split('\n').filter((name) => name !== '');
  return { rebootRequired: required, rebootPackages: [...new Set(names)] };
}

/** Reads everything; an apt that does not work, or works on old indexes, is part of the answer. */
export async function aptInventory(root: Root, stale: string | null): Promise<Inventory> {
  const packages = await packagesOf(root);
  const { upgrades, problem } = await upgradesOrProblem(root);
  const audit = await dpkgAudit(root);
  const problems = [stale, problem, audit === '' ? null : `dpkg --audit: ${audit}`];
  const { sources, trustProblems } = await readSources(root);
  const known = problems.filter((one) => one !== null);
  return {
    packages,
    holds: holdsOf(await heldNames(root), packages),
    sources,
    pendingUpgrades: upgrades,
    aptProblem: known.length === 0 ? null : known.join('\n').slice(0, 2_000),
    ...(await rebootState(root)),
    trustProblems: [
      ...trustProblems,
      ...configTrustProblems(await root.output(['apt-config', 'dump'])),
    ],
  };
}
