import type { Backing } from './backing.js';
import { hostEnvironment } from './config.js';
import { type HostProcess, hostProcess } from './host-process.js';
import type { Observations } from './oracle.js';
import type { HostGroup } from './schedule.js';

/** Two processes of each half of the product. */
export type Hosts = Readonly<{
  of: (group: HostGroup) => readonly [HostProcess, HostProcess];
  all: readonly HostProcess[];
  /** Where one of the group serves now, another one each time. */
  urlFor: (group: HostGroup) => string | null;
  /** Epochs of leases under which the hosts told to have written, or found to be current. */
  writes: () => Observations['writes'];
  /** Who of the group was the last to write under a lease. */
  holderIn: (group: HostGroup) => HostProcess | null;
  /** Starts those that are down. Returns how many there were. */
  mend: () => Promise<number>;
  /** In order. Returns the names of those that had to be killed. */
  stop: () => Promise<readonly string[]>;
}>;

const ENTRY = new URL('./host.js', import.meta.url);
const STOP_MS_MAX = 30_000;
const WROTE = /^wrote (?<epoch>\d+) (?<at>\d+) (?<lease>.+)$/;

export function createHosts(
  backing: Backing,
  mutant: string | null,
  onLog: (text: string) => void,
): Hosts {
  const args = mutant === null ? [] : [mutant];
  const writes: Observations['writes'][number][] = [];
  const writers: string[] = [];
  const one = (name: string, services: Parameters<Backing['environment']>[0]) => {
    const env = hostEnvironment(backing.environment(services, name));
    const onLine = (line: string) => {
      const { epoch, at, lease } = WROTE.exec(line)?.groups ?? {};
      if (lease === undefined) return;
      writes.push({ lease, epoch: Number(epoch), at: BigInt(at ?? 0) });
      writers.push(name);
    };
    return hostProcess({ name, entry: ENTRY, args, env, onLine, onLog });
  };
  const groups = {
    front: [
      one('front-1', ['discovery', 'prioritization']),
      one('front-2', ['discovery', 'prioritization']),
    ],
    back: [
      one('back-1', ['approval', 'deployment', 'reporting']),
      one('back-2', ['approval', 'deployment', 'reporting']),
    ],
  } as const;
  const all = [...groups.front, ...groups.back];
  let turn = 0;
  return {
    of: (group) => groups[group],
    all,
    urlFor: (group) => {
      const urls = groups[group].flatMap((host) => host.url() ?? []);
      turn += 1;
      return urls[turn % Math.max(1, urls.length)] ?? null;
    },
    writes: () => writes,
    holderIn: (group) => {
      const last = writers.findLast((name) => groups[group].some((host) => host.name === name));
      return groups[group].find(({ name }) => name === last) ?? null;
    },
    mend: async () => {
      const down = all.filter((host) => host.url() === null);
      // What a fault has left behind may meet the first start.
      await Promise.all(down.map((host) => host.start().catch(() => host.start())));
      return down.length;
    },
    stop: async () => {
      const late = await Promise.all(all.map(stopped));
      return late.flatMap((name) => name ?? []);
    },
  };
}

async function stopped(host: HostProcess): Promise<string | null> {
  host.kill('SIGTERM');
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(host.name), STOP_MS_MAX);
  });
  const late = await Promise.race([host.ended().then(() => null), tooLate]);
  clearTimeout(timer);
  host.kill('SIGKILL');
  await host.ended();
  return late;
}
