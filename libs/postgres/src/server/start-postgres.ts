import { realpath, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Lease, tryLease } from '../lease.js';
import { isRoot, serverAccount } from './account.js';
import type { ServerBinaries, ServerKind } from './binaries.js';
import { chooseServer, type ServerChoice } from './choice.js';
import type { Account } from './command.js';
import {
  dataFolderFor,
  dataFolderName,
  dataFolders,
  superuserPassword,
  SUPERUSER,
} from './data-folder.js';
import { answers, launchServer, type Launch, type Launched, StartFailed } from './launch.js';
import { notedPlace, openDataDir, type Place, placeOf } from './place.js';
import { holdsWithin } from './poll.js';
import {
  isAlive,
  isServerOf,
  type Recorded,
  recordedPostmaster,
  stopServer,
  withoutStrays,
} from './processes.js';

export type PostgresLog = {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
};

export type PostgresOptions = {
  /** Made when absent. As root only a note is kept here that says where the files are. */
  readonly dataDir: string;
  /** `auto`: whichever has data here already, else installed, else embedded. */
  readonly choice: ServerChoice;
  readonly log: PostgresLog;
  /** Server settings on top of the defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where root keeps what another account has to reach; /var/lib/patchtrail unless told. */
  readonly rootsFolder?: string;
};

export type RunningPostgres = {
  /** As superuser, on 127.0.0.1. */
  readonly adminUrl: string;
  readonly kind: ServerKind;
  readonly version: string;
  /** Resolves when the server has ended. Calling it again does nothing more. */
  stop(): Promise<void>;
};

const ATTEMPTS_MAX = 5;
const RETRY_MS = 300;
const OWNER = 'owner of this server';
const ORPHAN_ANSWERS_MS = 60_000;
// The server needs a moment to notice that the previous owner was killed.
const OWNER_GONE_MS = 3_000;
const PASSING = [
  'could not bind',
  'could not create any TCP/IP sockets',
  'lock file "postmaster.pid" already exists',
  'pre-existing shared memory block',
];

/** Of two that start at once, one may find the other's server before it holds the owner's lease. */
const ENDED_BY_ANOTHER = 'received fast shutdown request';

function taken(data: string): Error {
  return new Error(`Another process has taken the database in ${data} over.`);
}

async function ownerLease(url: string): Promise<Lease | null> {
  let lease: Lease | null = null;
  await holdsWithin(
    OWNER_GONE_MS,
    async () => (lease = await tryLease(url, OWNER, null).catch(() => null)) !== null,
    100,
  );
  return lease;
}

/** A server is an orphan unless the process that started it holds the owner's lease. */
async function endOrphan(found: Recorded, launch: Launch, log: PostgresLog): Promise<void> {
  const { data } = launch;
  const url = launch.urlAt(found.port);
  const answered = await holdsWithin(
    ORPHAN_ANSWERS_MS,
    async () => (await answers(url)) || !(await isServerOf(found.pid, data)),
  );
  const lease = answered ? await ownerLease(url) : null;
  if (!lease && answered && (await isServerOf(found.pid, data)))
    throw new Error(`Another process uses the database in ${data} (server process ${found.pid}).`);
  log.warn(`Stopping PostgreSQL (process ${found.pid}), left over by a process that was killed.`);
  await stopServer(found.pid, data);
  await lease?.release();
}

async function clearTheWay(launch: Launch, log: PostgresLog): Promise<void> {
  const { data } = launch;
  const found = await recordedPostmaster(data);
  if (!found) return;
  if (await isServerOf(found.pid, data)) return endOrphan(found, launch, log);
  if (!isAlive(found.pid)) return;
  // The number now belongs to somebody else, for which PostgreSQL would refuse to start.
  await withoutStrays(data);
  await unlink(join(data, 'postmaster.pid')).catch(() => undefined);
}

async function launched(launch: Launch, log: PostgresLog): Promise<Launched> {
  const { data } = launch;
  for (let attempt = 1; ; attempt += 1) {
    await clearTheWay(launch, log);
    try {
      return await launchServer(launch);
    } catch (error) {
      if (error instanceof StartFailed && error.log.includes(ENDED_BY_ANOTHER)) throw taken(data);
      const passing =
        error instanceof StartFailed && PASSING.some((text) => error.log.includes(text));
      if (!passing || attempt === ATTEMPTS_MAX) throw error;
      log.info(`PostgreSQL is tried again: ${error.message}`);
    }
    await pause(RETRY_MS);
  }
}

/** Data belongs to the account it was initialized for, even if root would choose another today. */
async function accountFor(place: Place): Promise<Account | undefined> {
  const [first] = await dataFolders(place.folder);
  if (!isRoot() || !first) return serverAccount();
  const { uid, gid } = await stat(join(place.folder, dataFolderName(first)));
  return uid === 0 ? serverAccount() : { uid, gid };
}

function running(
  server: ServerBinaries,
  data: string,
  { pid, url, exited, awaitable }: Launched,
  lease: Lease,
  log: PostgresLog,
): RunningPostgres {
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    awaitable();
    await stopServer(pid, data);
    await exited;
    await lease.release();
  };
  void exited.then(() => {
    if (!stopped) log.error(`PostgreSQL (process ${pid}) ended by itself; see its server.log.`);
  });
  return {
    adminUrl: url,
    kind: server.kind,
    version: server.version,
    stop: () => (stopped ??= stop()),
  };
}

/**
 * Runs a PostgreSQL of our own on a free port of 127.0.0.1 until `stop`. A server that a killed
 * process left behind is stopped first. Errors say what to do: no server found, data of another
 * version, a place that is gone or belongs to another account, another process on the same data.
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const { choice, log } = options;
  const place = await placeOf(await openDataDir(options.dataDir), options.rootsFolder);
  const account = await accountFor(place);
  const server = await chooseServer(choice, place, account);
  const password = await superuserPassword(place.folder, account);
  const settings = options.settings ?? {};
  const durable = settings['fsync'] !== 'off';
  const data = await dataFolderFor(place.folder, server, account, durable);
  const urlAt = (port: number): string => adminUrl(password, port);
  const launch = { server, account, place: place.folder, data, settings, urlAt };
  const started = await launched(launch, log);
  const lease = await ownerLease(started.url);
  if (!lease) throw taken(data);
  log.info(`PostgreSQL ${server.version} (${server.kind}) runs in ${data}.`);
  return running(server, data, started, lease, log);
}

function adminUrl(password: string, port: number): string {
  return `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`;
}

/**
 * The URL, as superuser, of the server that runs on `dataDir`, whichever process started it; null
 * when none answers. It changes nothing there.
 */
export async function findPostgres(dataDir: string): Promise<string | null> {
  const folder = await realpath(dataDir).catch(() => undefined);
  const place = folder === undefined ? undefined : await notedPlace(folder);
  if (!place) return null;
  for (const found of await dataFolders(place.folder)) {
    const data = join(place.folder, dataFolderName(found));
    const recorded = await recordedPostmaster(data);
    if (!recorded || !(await isServerOf(recorded.pid, data))) continue;
    const url = adminUrl(await superuserPassword(place.folder, undefined), recorded.port);
    if (await answers(url)) return url;
  }
  return null;
}

/** Ends a server that was left behind and deletes all data of `dataDir`. */
export async function removePostgres(dataDir: string): Promise<void> {
  const folder = await openDataDir(dataDir);
  const place = await notedPlace(folder);
  if (!place) return;
  for (const found of await dataFolders(place.folder)) {
    const data = join(place.folder, dataFolderName(found));
    const recorded = await recordedPostmaster(data);
    if (recorded) await stopServer(recorded.pid, data);
  }
  await rm(place.folder, { recursive: true, force: true });
  await rm(join(folder, 'postgres.json'), { force: true });
}
