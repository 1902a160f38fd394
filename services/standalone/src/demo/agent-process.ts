import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, writeFile, mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

export type AgentProcess = Readonly<{ stop: () => Promise<void> }>;

const POLL_MS = 400;
const STOP_MS_MAX = 60_000;

/** One agent as its own process, with its own state folder and log. */
export async function startAgentProcess(
  options: Readonly<{
    name: string;
    /** `--root DIR` or `--simulate FILE`. */
    target: readonly string[];
    serverUrl: string;
    token: string;
    workDir: string;
  }>,
): Promise<AgentProcess> {
  const stateDir = join(options.workDir, 'agents', options.name);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const tokenFile = join(stateDir, 'enrolment-token');
  await writeFile(tokenFile, options.token, { mode: 0o600 });
  const log = await open(join(options.workDir, `agent-${options.name}.log`), 'a');
  const main = fileURLToPath(import.meta.resolve('@patchtrail/agent/main'));
  const child = spawn(
    process.execPath,
    [
      main,
      ...options.target,
      ...['--server', options.serverUrl],
      ...['--enrol-token-file', tokenFile],
      ...['--state-dir', join(stateDir, 'state')],
      ...['--poll-ms', String(POLL_MS)],
    ],
    { stdio: ['ignore', log.fd, log.fd] },
  );
  await log.close();
  return { stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await ended;
  clearTimeout(late);
}
