import { spawn } from 'node:child_process';
import { errorText } from '../error-field.js';

/** Whom a child runs as; undefined is this process's own account. */
export type Account = { readonly uid: number; readonly gid: number };

export type Command = {
  readonly file: string;
  readonly args: readonly string[];
  readonly account: Account | undefined;
  readonly libraries?: string | undefined;
};

const TIMEOUT_MS = 120_000;
const OUTPUT_CHARS_MAX = 20_000;

/** Nothing of this process's environment: PGDATA, PGPORT and the like would change the outcome. */
export function environmentFor(libraries: string | undefined): Record<string, string> {
  const plain = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  if (libraries === undefined) return plain;
  return { ...plain, LD_LIBRARY_PATH: libraries, DYLD_LIBRARY_PATH: libraries };
}

export function explainSpawnError(
  file: string,
  account: Account | undefined,
  cause: unknown,
): Error {
  const who = account ? ` as uid ${account.uid}` : '';
  return new Error(`${file} could not be started${who}: ${errorText(cause)}`, { cause });
}

/** Runs to the end. Resolves whatever the exit status is; rejects when it could not be started. */
export async function run(
  command: Command,
): Promise<{ readonly ok: boolean; readonly stdout: string; readonly output: string }> {
  const { file, args, account, libraries } = command;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      ...account,
      // The caller's folder may be closed to the account.
      cwd: '/',
      env: environmentFor(libraries),
      stdio: ['ignore', 'pipe', 'pipe'],
      // Not `timeout`, whose timer outlives a child that could not be started.
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    let stdout = '';
    let output = '';
    const keep = (text: string): void => {
      output = (output + text).slice(-OUTPUT_CHARS_MAX);
    };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-OUTPUT_CHARS_MAX);
      keep(text);
    });
    child.stderr.setEncoding('utf8').on('data', keep);
    child.once('error', (cause) => reject(explainSpawnError(file, account, cause)));
    child.once('close', (code) => resolve({ ok: code === 0, stdout, output }));
  });
}
