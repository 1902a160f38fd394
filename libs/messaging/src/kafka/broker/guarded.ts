import { spawn } from 'node:child_process';
import { type FileHandle, readdir, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

const STILL_MS_MAX = 10_000;
const STILL_POLL_MS = 5;

export type Guarded = Readonly<{
  pid: number;
  kill: (signal: NodeJS.Signals) => void;
  /** Resolves once none of its threads runs any more, until `SIGCONT`. */
  suspend: () => Promise<void>;
  ended: Promise<void>;
  hasEnded: () => boolean;
}>;

const GUARD = `
folder=$1
shift
exec 3<&0
"$@" </dev/null >&2 3<&- &
program=$!
{
  read -r _ <&3
  trap '' TERM
  while kill -9 "$program"; do sleep 0.05; done
  if [ -n "$folder" ]; then rm -rf "$folder"; fi
} >/dev/null 2>&1 &
guard=$!
exec 3<&-
echo "$program"
exec >&-
wait "$program"
kill "$guard" 2>/dev/null
`;

export type Program = Readonly<{
  file: string;
  args: readonly string[];
  output: FileHandle;
  /** Removed when this process ends without having ended the program. */
  temporaryFolder: string | null;
}>;

/**
 * Starts a program that does not outlive this process, however that ends: a shell waits at a pipe
 * which only this process holds open, and kills the program when it closes. It has a process group
 * of its own, so that a terminal's Ctrl-C reaches it only through `kill`.
 */
export async function startGuarded(program: Program): Promise<Guarded> {
  const { file, args, output, temporaryFolder } = program;
  const shell = spawn('/bin/sh', ['-c', GUARD, 'sh', temporaryFolder ?? '', file, ...args], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'pipe', output.fd],
  });
  const { stdin, stdout } = shell;
  if (stdin === null || stdout === null) throw new Error(`${file} has no pipes.`);
  let isEnded = false;
  const ended = new Promise<void>((resolve) => {
    shell.once('exit', () => {
      isEnded = true;
      resolve();
    });
  });
  const pid = await new Promise<number>((resolve, reject) => {
    shell.once('error', reject);
    stdout.setEncoding('utf8').once('data', (line: string) => resolve(Number(line)));
    shell.once('exit', () => reject(new Error(`${file} could not be started.`)));
  });
  // The guard's end of the pipe closes with it.
  stdin.on('error', () => undefined);
  const kill = (signal: NodeJS.Signals) => {
    // While the shell waits for it, the number cannot belong to another program.
    if (!isEnded) process.kill(pid, signal);
  };
  return {
    pid,
    ended,
    hasEnded: () => isEnded,
    kill,
    suspend: async () => {
      kill('SIGSTOP');
      await standsStill(pid);
    },
  };
}

/**
 * One thread takes a stop signal and tells the others, so on a busy host they go on for a while.
 * Only Linux lists them.
 */
async function standsStill(pid: number): Promise<void> {
  const threads = `/proc/${String(pid)}/task`;
  const deadline = performance.now() + STILL_MS_MAX;
  for (;;) {
    const ids = await readdir(threads).catch(() => []);
    const stats = ids.map((id) => readFile(`${threads}/${id}/stat`, 'utf8').catch(() => ''));
    if (!(await Promise.all(stats)).some(isRunning)) return;
    if (performance.now() >= deadline) throw new Error(`Process ${String(pid)} does not stop.`);
    await pause(STILL_POLL_MS);
  }
}

/** A line of `/proc/…/stat`: number, name in parentheses, state. A thread that ended has none. */
function isRunning(stat: string): boolean {
  return stat !== '' && !/\) [TtZX] /.test(stat);
}
