import { execFile } from 'node:child_process';

export type Outcome = Readonly<{ ok: boolean; output: string }>;

/** Runs to the end or the deadline; a program that is not there is an outcome too. */
export async function run(
  file: string,
  args: readonly string[],
  deadlineMs: number,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { timeout: deadlineMs, killSignal: 'SIGKILL', maxBuffer: 4 * 1024 * 1024 };
    const child = execFile(
      file,
      [...args],
      { ...options, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        const text = `${stdout}${stderr}`.trim();
        resolve({ ok: error === null, output: text === '' && error ? error.message : text });
      },
    );
    child.stdin?.end();
  });
}
