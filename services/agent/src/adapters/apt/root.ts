import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfThere } from '../disk/files.js';
import { errorCode } from '../process/error-code.js';
import { type CommandResult, run } from '../process/run.js';

/** The file system that apt acts on: a chroot, or `/` for the host itself. */
export type Root = Readonly<{
  path: string;
  /** Arguments that run a command in it. */
  argv: (command: readonly string[]) => readonly string[];
  run: (command: readonly string[], timeoutMs?: number) => Promise<CommandResult>;
  /** Standard output. @throws Error with what was printed when the exit status is not 0 */
  output: (command: readonly string[], timeoutMs?: number) => Promise<string>;
  outside: (inside: string) => string;
  read: (inside: string) => Promise<string | null>;
  list: (inside: string) => Promise<readonly string[]>;
}>;

/** Nothing of the agent's own environment reaches a maintainer script. */
export const COMMAND_ENV: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C.UTF-8',
  HOME: '/root',
  DEBIAN_FRONTEND: 'noninteractive',
  DEBCONF_NONINTERACTIVE_SEEN: 'true',
  UCF_FORCE_CONFFOLD: '1',
};

const COMMAND_TIMEOUT_MS = 120_000;
const PRINTED_CHARS_MAX = 1_000;

export function openRoot(path: string): Root {
  const argv = (command: readonly string[]) =>
    path === '/' ? command : ['chroot', path, ...command];
  const execute = (command: readonly string[], timeoutMs = COMMAND_TIMEOUT_MS) =>
    run(argv(command), { timeoutMs, env: COMMAND_ENV });
  const outside = (inside: string) => join(path, inside);
  return {
    path,
    argv,
    run: execute,
    output: async (command, timeoutMs) => {
      const { code, stdout, stderr } = await execute(command, timeoutMs);
      if (code === 0) return stdout;
      const printed = stderr.trim().slice(0, PRINTED_CHARS_MAX);
      throw new Error(`${command.slice(0, 3).join(' ')} ended with ${String(code)}: ${printed}`);
    },
    outside,
    read: (inside) => readIfThere(outside(inside)),
    list: async (inside) => {
      try {
        return (await readdir(outside(inside))).sort();
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return [];
        throw error;
      }
    },
  };
}
