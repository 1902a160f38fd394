import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { UNTIL_INPUT_ENDS } from '../until-input-ends.js';

export type Program = Readonly<{
  /** Under which it is spoken of. */
  name: string;
  /** URL of the file that Node runs. */
  entry: string;
  env: Readonly<Record<string, string | undefined>>;
}>;

/** What a child says once it serves: where, and what else there is to know. */
export type Ready = Readonly<{ url: string; remark: string }>;

export type Child = Readonly<{
  pid: number | undefined;
  /** @throws Error when it ended or was silent for too long */
  ready: Promise<Ready>;
  /** Resolves with how it ended: `exit status 1`, `SIGKILL`. */
  ended: Promise<string>;
  /** SIGTERM, and SIGKILL after the deadline; resolves when it has ended. */
  stop: () => Promise<void>;
}>;

const START_MS_MAX = 120_000;
const STOP_MS_MAX = 45_000;
const READY = / is ready at (?<url>\S+)(?: \((?<remark>.*)\))?/;

/**
 * A Node of its own that ends with this process, however that ends: it watches its input, which
 * only this process holds open. A terminal's Ctrl-C does not reach it, so that all stop in order.
 */
export function startChild({ name, entry, env }: Program): Child {
  const child = spawn(
    process.execPath,
    [...process.execArgv, fileURLToPath(entry), UNTIL_INPUT_ENDS],
    { env, detached: true, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  // One that was killed no longer reads.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<string>((resolve) => {
    child.once('error', ({ message }) => resolve(message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit status ${String(code)}`));
  });
  const said = new Promise<Ready>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { url, remark = '' } = READY.exec(line)?.groups ?? {};
      if (url !== undefined) resolve({ url, remark });
    });
  });
  const ready = inTime(name, said, ended);
  ready.catch(() => undefined);
  return { pid: child.pid, ready, ended, stop: () => stop(child, ended) };
}

async function inTime(name: string, said: Promise<Ready>, ended: Promise<string>) {
  let late: NodeJS.Timeout | undefined;
  const failed = new Promise<never>((_, reject) => {
    const silent = `${name} was not ready within ${String(START_MS_MAX)} ms.`;
    late = setTimeout(() => reject(new Error(silent)), START_MS_MAX);
    void ended.then((how) => {
      reject(new Error(`${name} ended while it started (${how}); its log says why.`));
    });
  });
  try {
    return await Promise.race([said, failed]);
  } finally {
    clearTimeout(late);
  }
}

async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await ended;
  clearTimeout(late);
}
