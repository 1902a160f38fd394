import { removePostgres, type RunningPostgres, startPostgres } from '@patchtrail/postgres';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { givenAdminUrl, serverChoice, setOffer } from '../config.js';
import { silentLog } from '../silent-log.js';
import { type Offer, openOffer } from './offer.js';

type Started = { readonly dataDir: string; readonly postgres: RunningPostgres };

const PREFIX = 'patchtrail-test-';
const offer: { open: Offer | undefined; started: Promise<Started> | undefined } = {
  open: undefined,
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
 * One PostgreSQL for the whole run, started when the first spec asks; a run of pure specs starts
 * nothing.
 */
export async function offerPostgres(): Promise<void> {
  await removeLeftovers();
  offer.open = await openOffer(adminUrl);
  setOffer(offer.open.url);
}

export async function withdrawPostgres(): Promise<void> {
  offer.open?.withdraw();
  const started = await offer.started?.catch(() => undefined);
  if (!started) return;
  await started.postgres.stop();
  await removePostgres(started.dataDir);
  await rm(started.dataDir, { recursive: true, force: true });
}
