import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, type RunningScript } from '@patchtrail/testing';
import { serverProcesses } from '../product.suite.js';

export type Process = Readonly<{
  pid: number;
  what: 'java' | 'node' | 'postgres' | 'sh' | 'other';
}>;

/** Processes of the stack whose data folder this is, and of its database server; zombies are not. */
export async function processesOf(dataDir: string): Promise<readonly Process[]> {
  // Before its first start there is no note of the server's folder.
  const servers: readonly string[] = await serverProcesses(dataDir).catch(() => []);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [command, environment] = await Promise.all([
        readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => ''),
        readFile(join('/proc', pid, 'environ'), 'utf8').catch(() => ''),
      ]);
      const own = `${command}\0${environment}`.includes(dataDir);
      if (servers.includes(pid)) return [{ pid: Number(pid), what: 'postgres' } as const];
      return own ? [{ pid: Number(pid), what: whatRuns(command) }] : [];
    }),
  );
  return found.flat();
}

function whatRuns(command: string): Process['what'] {
  const program = command.split('\0')[0]?.split('/').at(-1) ?? '';
  return (['java', 'node', 'postgres', 'sh'] as const).find((name) => name === program) ?? 'other';
}

/** What the stack's log said last of a child of this name: where it serves, and its process. */
function childIn(stack: RunningScript, name: string): { pid: number; url: string } {
  const lines = stack.errors().split('\n');
  const line = lines.findLast((text) => text.includes(`"child":"${name}","pid":`));
  const { pid, url } = /"pid":(?<pid>\d+),"url":"(?<url>[^"]+)"/.exec(line ?? '')?.groups ?? {};
  if (pid === undefined || url === undefined) throw new Error(`${name} has not been started.`);
  return { pid: Number(pid), url };
}

/** Kills a child and waits until the stack says that another one serves in its place. */
export async function killChild(stack: RunningScript, name: string): Promise<void> {
  const { pid } = childIn(stack, name);
  process.kill(pid, 'SIGKILL');
  await eventually(
    () => {
      if (childIn(stack, name).pid === pid) throw new Error(`${name} was not started again.`);
    },
    { deadlineMs: 90_000, everyMs: 50 },
  );
}
