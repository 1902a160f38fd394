import { type ChildProcess, spawn } from 'node:child_process';
import { errorCode } from './error-code.js';

export type CommandResult = Readonly<{
  /** `null` when a signal ended it. */
  code: number | null;
  stdout: string;
  stderr: string;
}>;

export type CommandOptions = Readonly<{
  timeoutMs: number;
  env: Readonly<Record<string, string>>;
}>;

/** Thrown when a command could not be run to its end. */
export class CommandFailed extends Error {
  constructor(detail: string) {
    super(detail);
    this.name = 'CommandFailed';
  }
}

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const DRAIN_MS = 1_000;

/** Signals a detached child with everything it started; a group that is gone is no error. */
export function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/**
 * Runs a command by its arguments, without a shell, and answers what it printed.
 * @throws CommandFailed when it cannot start, takes too long or prints more than 16 MiB
 */
export function run(argv: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const [file = '', ...args] = argv;
  const name = argv.slice(0, 4).join(' ');
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: { ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let bytes = 0;
    let problem: string | null = null;
    const stop = (why: string) => {
      problem ??= why;
      signalGroup(child, 'SIGKILL');
    };
    const timer = setTimeout(() => {
      stop(`took longer than ${options.timeoutMs} ms`);
    }, options.timeoutMs);
    const collect = (into: Buffer[]) => (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= OUTPUT_BYTES_MAX) into.push(chunk);
      else stop('printed more than 16 MiB');
    };
    child.stdout.on('data', collect(out));
    child.stderr.on('data', collect(err));
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(new CommandFailed(`${name}: ${error.message}`));
    });
    child.once('exit', () => {
      clearTimeout(timer);
      // A daemon that the command left behind may hold the pipes open for ever.
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, DRAIN_MS).unref();
    });
    child.once('close', (code) => {
      const text = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString('utf8');
      if (problem === null) resolve({ code, stdout: text(out), stderr: text(err) });
      else reject(new CommandFailed(`${name}: ${problem}`));
    });
  });
}
