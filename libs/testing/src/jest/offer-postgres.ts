import { removePostgres, type RunningPostgres, startPostgres } from '@patchtrail/postgres';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { givenAdminUrl, serverChoice, setOffer } from '../config.js';
import { silentLog } from '../silent-log.js';

type Started = { readonly dataDir: string; readonly postgres: RunningPostgres };

const PREFIX = 'patchtrail-test-';
const offer: { server: Server | undefined; started: Promise<Started> | undefined } = {
  server: undefined,
  started: undefined,
};

/** Tests lose nothing in a power cut, so nothing waits for the disk. */
const SETTINGS = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' };

async function start(): Promise<Started> {
  const dataDir = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const options = { dataDir, choice: serverChoice(), log: silentLog, settings: SETTINGS };
  return { dataDir, postgres: await startPostgres(options) };
}

async function adminUrl(): Promise<string> {
  const given = givenAdminUrl();
  if (given !== undefined) return given;
  offer.started ??= start();
  return (await offer.started).postgres.adminUrl;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Jest skips its teardown when it is interrupted; the next run clears up after it. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = /^patchtrail-test-(?<pid>\d+)-/.exec(name)?.groups?.['pid'];
    if (pid === undefined || isRunning(Number(pid))) continue;
    const dataDir = join(tmpdir(), name);
    await removePostgres(dataDir).catch(() => undefined);
    await rm(dataDir, { recursive: true, force: true }).catch(() => undefined);
  }
}

/**
 * One PostgreSQL for the whole run, started when the first spec asks. Specs run in processes of
 * their own, so they ask over HTTP; a run of pure specs starts nothing.
 */
export async function offerPostgres(): Promise<void> {
  await removeLeftovers();
  const server = createServer((_request, response) => {
    // A connection kept alive could be closed just as a spec uses it again.
    response.setHeader('connection', 'close');
    adminUrl().then(
      (url) => response.end(url),
      (error: unknown) => {
        response.statusCode = 500;
        response.end(error instanceof Error ? (error.stack ?? error.message) : String(error));
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (!address || typeof address === 'string') throw new Error('No TCP port on 127.0.0.1.');
  setOffer(`http://127.0.0.1:${address.port}/`);
  offer.server = server;
}

export async function withdrawPostgres(): Promise<void> {
  offer.server?.closeAllConnections();
  offer.server?.close();
  const started = await offer.started?.catch(() => undefined);
  if (!started) return;
  await started.postgres.stop();
  await removePostgres(started.dataDir);
  await rm(started.dataDir, { recursive: true, force: true });
}
