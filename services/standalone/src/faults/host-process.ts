import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Point } from './points.js';

/** A process of the product that is started again and again under one name. */
export type HostProcess = Readonly<{
  name: string;
  /** `null` while it is down. */
  url: () => string | null;
  /** Resolves when it serves. @throws Error with the end of its log when it does not */
  start: () => Promise<void>;
  /** At a point that it recognises by itself, where it ends. */
  arm: (point: Point, nth: number, delayMs: number) => void;
  /** The first line since the start that matches; `null` where the deadline or its end came first. */
  line: (pattern: RegExp, deadlineMs: number) => Promise<string | null>;
  /** How many lines there are since the start that match. */
  count: (pattern: RegExp) => number;
  /** What it has logged last. */
  log: () => string;
  kill: (signal: NodeJS.Signals) => void;
  /** Resolves when the process that runs now, if any, has ended. */
  ended: () => Promise<void>;
}>;

export type HostOptions = Readonly<{
  name: string;
  entry: URL;
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** Every line of its output. */
  onLine: (line: string) => void;
  /** What it logs, as it is written. */
  onLog: (text: string) => void;
}>;

const START_MS_MAX = 90_000;
const LOG_TAIL_CHARS = 20_000;
const REASON_CHARS = 2_000;
const LOOK_MS = 5;

type Running = {
  child: ChildProcess;
  lines: string[];
  log: string;
  hasEnded: boolean;
  ended: Promise<void>;
};

export function hostProcess(options: HostOptions): HostProcess {
  let running: Running | null = null;
  let url: string | null = null;
  const line = async (pattern: RegExp, deadlineMs: number) => {
    const end = performance.now() + deadlineMs;
    const of = running;
    while (of !== null) {
      const found = of.lines.find((one) => pattern.test(one));
      if (found !== undefined) return found;
      if (of.hasEnded || performance.now() >= end) return null;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return null;
  };
  return {
    name: options.name,
    url: () => url,
    line,
    start: async () => {
      const started = spawned(options);
      running = started;
      void started.ended.then(() => (url = null));
      const ready = await line(/^Patchtrail is ready at /, START_MS_MAX);
      if (ready === null) {
        started.child.kill('SIGKILL');
        throw new Error(`${options.name} did not start: ${started.log.slice(-REASON_CHARS)}`);
      }
      if (!started.hasEnded) url = / at (\S+)/.exec(ready)?.[1] ?? null;
    },
    arm: (point, nth, delayMs) => {
      running?.child.stdin?.write(`arm ${point} ${String(nth)} ${String(delayMs)}\n`);
    },
    count: (pattern) => running?.lines.filter((one) => pattern.test(one)).length ?? 0,
    log: () => running?.log ?? '',
    kill: (signal) => {
      running?.child.kill(signal);
    },
    ended: () => running?.ended ?? Promise.resolve(),
  };
}

function spawned({ entry, args, env, onLine, onLog }: HostOptions): Running {
  const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(entry), ...args], {
    env,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
  const running: Running = { child, lines: [], log: '', hasEnded: false, ended };
  createInterface({ input: child.stdout }).on('line', (text) => {
    running.lines.push(text);
    onLine(text);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    running.log = `${running.log}${text}`.slice(-LOG_TAIL_CHARS);
    onLog(text);
  });
  void ended.then(() => (running.hasEnded = true));
  return running;
}
