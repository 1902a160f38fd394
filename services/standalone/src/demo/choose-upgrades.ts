import type { Upgrade } from './fleet.js';
import { command } from './run-command.js';

const UPGRADES_MAX = 3;

/** The tools that carry out an upgrade are left alone in a demo. */
const LEFT_ALONE = new Set(['apt', 'dpkg', 'glibc']);

type Offer = Readonly<{ name: string; from: string; to: string; security: boolean }>;

/** Upgrades that apt offers from a security archive: the smallest of three source packages. */
export async function chooseUpgrades(root: string): Promise<readonly Upgrade[]> {
  const inside = ['chroot', root];
  const offers = offersIn(await command([...inside, 'apt-get', '-s', 'dist-upgrade']));
  const candidates: (Upgrade & { bytes: number })[] = [];
  for (const { name, from, to } of offers.filter(({ security }) => security)) {
    const record = await command([...inside, 'apt-cache', 'show', `${name}=${to}`]);
    const field = (key: string) => new RegExp(`^${key}: (.*)$`, 'm').exec(record)?.[1];
    const [sourcePackage = name, sourceVersion = to] = (field('Source') ?? name)
      .replace(')', '')
      .split(' (');
    const bytes = Number(field('Size'));
    if (LEFT_ALONE.has(sourcePackage)) continue;
    candidates.push({ package: name, sourcePackage, sourceVersion, from, to, bytes });
  }
  candidates.sort((a, b) => a.bytes - b.bytes);
  const firstOfSource = candidates.filter(
    ({ sourcePackage }, index) =>
      candidates.findIndex((other) => other.sourcePackage === sourcePackage) === index,
  );
  return firstOfSource.slice(0, UPGRADES_MAX).map(({ bytes: _, ...upgrade }) => upgrade);
}

/** `Inst name [old] (new Origin:release/suite [arch])` lines of a simulated upgrade. */
function offersIn(simulation: string): readonly Offer[] {
  return [...simulation.matchAll(/^Inst (\S+) \[(\S+)\] \((\S+) ([^)]*)\)/gm)].map(
    ([, name = '', from = '', to = '', origin = '']) => ({
      ...{ name, from, to },
      security: origin.includes('Debian-Security:'),
    }),
  );
}
