import { spawn } from 'node:child_process';

export type CommandResult = Readonly<{ code: number; stdout: string; stderr: string }>;

const OUTPUT_CHARS_MAX = 4_000_000;

/** Runs a program without a shell, within a deadline; its exit code is the caller's to judge. */
export function tryCommand(argv: readonly string[], deadlineMs = 120_000): Promise<CommandResult> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: deadlineMs,
      env: {
        PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        LC_ALL: 'C.UTF-8',
        DEBIAN_FRONTEND: 'noninteractive',
      },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout = (stdout + chunk.toString()).slice(-OUTPUT_CHARS_MAX);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-OUTPUT_CHARS_MAX);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code: code ?? 128, stdout, stderr });
    });
  });
}

/** Runs a program that must succeed. @returns its standard output */
export async function command(argv: readonly string[], deadlineMs?: number): Promise<string> {
  const { code, stdout, stderr } = await tryCommand(argv, deadlineMs);
  if (code !== 0) {
    const said = (stderr.trim() === '' ? stdout : stderr).trim().split('\n').slice(-5).join('\n');
    throw new Error(`${argv.join(' ')} ended with ${String(code)}: ${said}`);
  }
  return stdout;
}
