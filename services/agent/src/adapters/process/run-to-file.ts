import { spawn } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { CommandFailed, signalGroup } from './run.js';

export type FileRun = Readonly<{
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  timeoutMs: number;
  /** Takes what the command prints. */
  outputPath: string;
  /** Takes what the command writes to its file descriptor 3. */
  statusPath: string;
  onStatus: (line: string) => void;
}>;

export type FileRunResult = Readonly<{ code: number | null; timedOut: boolean }>;

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const TAIL_BYTES = 64 * 1024;
const WATCH_MS = 100;
const GRACE_MS = 10_000;

/** The end of a file, at most 64 KiB; empty when there is none. */
export async function tailOf(path: string): Promise<string> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch {
    return '';
  }
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(Math.min(size, TAIL_BYTES)),
      position: start,
    });
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Passes on the complete lines that were added to a file since the last look. */
function follow(file: FileHandle, onLine: (line: string) => void): () => Promise<void> {
  let offset = 0;
  let rest = '';
  return async () => {
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(TAIL_BYTES),
      position: offset,
    });
    offset += bytesRead;
    const lines = (rest + buffer.toString('utf8', 0, bytesRead)).split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(onLine);
  };
}

function start(given: FileRun, output: FileHandle, status: FileHandle) {
  const [file = '', ...args] = given.argv;
  const child = spawn(file, args, {
    env: { ...given.env },
    stdio: ['ignore', output.fd, output.fd, status.fd],
    detached: true,
  });
  let timedOut = false;
  const timers = [
    setTimeout(() => {
      timedOut = true;
      signalGroup(child, 'SIGTERM');
    }, given.timeoutMs),
    setTimeout(() => {
      signalGroup(child, 'SIGKILL');
    }, given.timeoutMs + GRACE_MS),
  ];
  const done = new Promise<FileRunResult>((resolve, reject) => {
    child.once('error', (error) => reject(new CommandFailed(`${file}: ${error.message}`)));
    child.once('exit', (code) => resolve({ code, timedOut }));
  }).finally(() => timers.forEach((timer) => clearTimeout(timer)));
  return done;
}

/** Looks at both files until the command has ended; an output without end is emptied, not kept. */
async function watch(
  output: FileHandle,
  look: () => Promise<void>,
  ended: Promise<unknown>,
): Promise<void> {
  const over = ended.then(
    () => true,
    () => true,
  );
  for (let done = false; !done;) {
    let timer: NodeJS.Timeout | undefined;
    const tick = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => {
        resolve(false);
      }, WATCH_MS);
    });
    done = await Promise.race([tick, over]);
    clearTimeout(timer);
    await look();
    if ((await output.stat()).size > OUTPUT_BYTES_MAX) await output.truncate(0);
  }
}

/**
 * Runs a command whose output goes to files, in a session of its own. It goes on undisturbed
 * when this process is killed: there is no pipe that could break under it.
 */
export async function runToFile(given: FileRun): Promise<FileRunResult> {
  const output = await open(given.outputPath, 'a+', 0o600);
  const status = await open(given.statusPath, 'a+', 0o600);
  try {
    const done = start(given, output, status);
    await watch(output, follow(status, given.onStatus), done);
    return await done;
  } finally {
    await output.close();
    await status.close();
  }
}
