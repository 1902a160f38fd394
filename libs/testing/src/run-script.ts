import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { eventually } from './eventually.js';

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type RunningScript = {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  /** Lines of standard output so far. */
  lines(): readonly string[];
  errors(): string;
  /** The first line that matches, as soon as it is there. Error: deadline, or the script ended. */
  line(pattern: RegExp, deadlineMs?: number): Promise<string>;
  say(line: string): void;
  kill(signal?: NodeJS.Signals): Promise<Exit>;
};

export type ScriptOptions = {
  readonly args?: readonly string[];
  /** On top of this process's own; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly account?: { readonly uid: number; readonly gid: number };
  readonly cwd?: string;
};

const HOOKS = new URL('./jest/source-hooks.mjs', import.meta.url).href;

/**
 * Runs a TypeScript or JavaScript file in a Node of its own, from source. For tests that kill a
 * process at a point which the script itself announces by a line.
 */
export function runScript(file: string | URL, options: ScriptOptions = {}): RunningScript {
  const path = typeof file === 'string' ? file : fileURLToPath(file);
  const child = spawn(process.execPath, ['--import', HOOKS, path, ...(options.args ?? [])], {
    ...options.account,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  if (child.pid === undefined) throw new Error(`${path} could not be started.`);
  const lines: string[] = [];
  let errors = '';
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  // A script that was killed no longer reads.
  child.stdin.on('error', () => undefined);
  let ended = false;
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      ended = true;
      resolve({ code, signal });
    });
  });
  const find = (pattern: RegExp): string => {
    const found = lines.find((line) => pattern.test(line));
    if (found !== undefined) return found;
    throw new Error(
      `${path} ${ended ? 'ended without' : 'has not written'} ${String(pattern)}.\n${lines.join('\n')}\n${errors}`,
    );
  };
  return {
    pid: child.pid,
    exited,
    lines: () => lines,
    errors: () => errors,
    line: async (pattern, deadlineMs = 45_000) => {
      await eventually(() => ended || find(pattern), { deadlineMs });
      return find(pattern);
    },
    say: (line) => child.stdin.write(`${line}\n`),
    kill: (signal = 'SIGKILL') => {
      child.kill(signal);
      return exited;
    },
  };
}
