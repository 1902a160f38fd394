import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Client } from 'pg';
import type { ServerBinaries } from './binaries.js';
import { type Account, environmentFor, explainSpawnError } from './command.js';
import { holdsWithin } from './poll.js';

export type Launch = {
  readonly server: ServerBinaries;
  readonly account: Account | undefined;
  readonly place: string;
  readonly data: string;
  readonly settings: Readonly<Record<string, string>>;
  urlAt(port: number): string;
};

/** `exited` resolves when the server is gone for whatever reason. */
export type Launched = {
  readonly pid: number;
  readonly url: string;
  readonly exited: Promise<void>;
  /** Lets the server's end be waited for: until then this process may end before it. */
  readonly awaitable: () => void;
};

/** The server ended before it took connections; `log` is what it wrote meanwhile. */
export class StartFailed extends Error {
  readonly log: string;

  constructor(version: string, log: string) {
    super(`PostgreSQL ${version} ended while it started: ${log.trim() || 'it wrote no log'}`);
    this.log = log;
  }
}

// Crash recovery replays the log before the first connection is taken.
const READY_MS = 120_000;
const LOG_BYTES_MAX = 1_000_000;
const LOG_TAIL_BYTES = 4_000;
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  // No socket file: its path has a length limit that a deep checkout exceeds.
  unix_socket_directories: '',
  max_connections: '200',
  lc_messages: 'C',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_min_messages: 'warning',
};

async function freePort(): Promise<number> {
  const probe = createServer();
  return new Promise((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        if (address && typeof address === 'object') resolve(address.port);
        else reject(new Error('No free TCP port on 127.0.0.1.'));
      });
    });
  });
}

async function openLog(file: string): Promise<FileHandle> {
  const found = await stat(file).catch(() => undefined);
  if (found && found.size > LOG_BYTES_MAX) await rename(file, `${file}.1`);
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDWR } = constants;
  return open(file, O_APPEND | O_CREAT | O_NOFOLLOW | O_RDWR, 0o600);
}

async function tail(log: FileHandle, from: number): Promise<string> {
  const { size } = await log.stat();
  const start = Math.max(from, size - LOG_TAIL_BYTES);
  const { buffer, bytesRead } = await log.read(Buffer.alloc(size - start), 0, size - start, start);
  return buffer.toString('utf8', 0, bytesRead);
}

export async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

function spawnServer(launch: Launch, port: number, log: FileHandle): ChildProcess {
  const { server, account, place, data, settings } = launch;
  const options = Object.entries({ ...SETTINGS, ...settings, port: String(port) });
  return spawn(
    join(server.bin, 'postgres'),
    ['-D', data, ...options.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    {
      ...account,
      cwd: place,
      env: environmentFor(server.libraries),
      // A log file, not a pipe: the server outlives a killed parent and must be able to say so.
      stdio: ['ignore', log.fd, log.fd],
      // Its own process group: Ctrl-C is for the parent, which then stops its server in order.
      detached: true,
    },
  );
}

/** Errors: StartFailed when the server ends by itself; Error when it could not be started at all. */
export async function launchServer(launch: Launch): Promise<Launched> {
  const port = await freePort();
  const url = launch.urlAt(port);
  const log = await openLog(join(launch.place, 'server.log'));
  try {
    const { size } = await log.stat();
    const child = spawnServer(launch, port, log);
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) =>
        reject(explainSpawnError(child.spawnfile, launch.account, cause)),
      );
    });
    child.unref();
    const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
    const ready = await holdsWithin(READY_MS, async () => ended() || (await answers(url)));
    if (ended()) throw new StartFailed(launch.server.version, await tail(log, size));
    if (ready && child.pid !== undefined) {
      return { pid: child.pid, url, exited, awaitable: () => child.ref() };
    }
    child.kill('SIGQUIT');
    throw new StartFailed(launch.server.version, await tail(log, size));
  } finally {
    await log.close();
  }
}
