import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { permanent } from '../../domain/failure.js';
import { packageArgument } from '../../domain/install-plan.js';
import type { Change, KeptPackage, Transaction } from '../../domain/transaction.js';
import { FETCH_OPTIONS, nativeArchitecture } from './apt-state.js';
import type { Root } from './root.js';

const KEPT_FOLDER = '/var/cache/patchtrail';
const ARCHIVES = '/var/cache/apt/archives';
const ATTEMPTS_KEPT_MAX = 20;
const DOWNLOAD_TIMEOUT_MS = 300_000;

/** File name as apt writes it: the colon of an epoch is quoted. */
const fileNameOf = (change: Change) =>
  `${change.package}_${String(change.from).replaceAll(':', '%3a')}_${change.architecture}.deb`;

async function isThere(root: Root, inside: string): Promise<boolean> {
  try {
    return (await stat(root.outside(inside))).isFile();
  } catch {
    return false;
  }
}

/** Whether the file is the package that the change starts from. */
async function isRight(root: Root, inside: string, change: Change): Promise<boolean> {
  if (!(await isThere(root, inside))) return false;
  const { code, stdout } = await root.run([
    ...['dpkg-deb', '--show', '--showformat=${Package} ${Version} ${Architecture}'],
    inside,
  ]);
  const expected = `${change.package} ${String(change.from)} ${change.architecture}`;
  return code === 0 && stdout === expected;
}

async function download(root: Root, folder: string, argument: string): Promise<string> {
  const { stderr } = await root.run(
    [
      ...['env', `--chdir=${folder}`, 'apt-get', '-q', ...FETCH_OPTIONS],
      ...['-o', 'APT::Sandbox::User=root', 'download', '--', argument],
    ],
    DOWNLOAD_TIMEOUT_MS,
  );
  return stderr.trim().slice(0, 500);
}

/** An earlier download of apt's own, in case the archive has superseded the version. */
async function takeFromArchives(root: Root, inside: string, change: Change): Promise<void> {
  const archived = `${ARCHIVES}/${fileNameOf(change)}`;
  if (!(await isRight(root, archived, change))) return;
  const fresh = `${root.outside(inside)}.new`;
  await copyFile(root.outside(archived), fresh);
  await rename(fresh, root.outside(inside));
}

async function sha256Of(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

async function keep(root: Root, folder: string, change: Change, native: string) {
  const inside = `${folder}/${fileNameOf(change)}`;
  let reason = '';
  if (!(await isRight(root, inside, change))) {
    const argument = `${packageArgument(change, native)}=${String(change.from)}`;
    reason = await download(root, folder, argument);
  }
  if (!(await isRight(root, inside, change))) await takeFromArchives(root, inside, change);
  if (!(await isRight(root, inside, change))) {
    throw permanent(
      'no-rollback-artifact',
      `${change.package} ${String(change.from)} is not to be had any more. ${reason}`,
    );
  }
  return { path: inside, sha256: await sha256Of(root.outside(inside)) };
}

async function forgetOldest(root: Root): Promise<void> {
  const base = root.outside(KEPT_FOLDER);
  const folders = await Promise.all(
    (await readdir(base)).map(async (name) => {
      const { mtimeMs } = await stat(`${base}/${name}`);
      return { path: `${base}/${name}`, mtimeMs };
    }),
  );
  const oldest = folders.sort((a, b) => b.mtimeMs - a.mtimeMs).slice(ATTEMPTS_KEPT_MAX);
  for (const { path } of oldest) await rm(path, { recursive: true, force: true });
}

/**
 * Fetches the present version of every package that the transaction replaces.
 * @throws ExecutionFailure when one is not obtainable: without a way back nothing is changed
 */
export async function keepPresentVersions(
  root: Root,
  attemptId: string,
  transaction: Transaction,
): Promise<Transaction> {
  const folder = `${KEPT_FOLDER}/${attemptId}`;
  await mkdir(root.outside(folder), { recursive: true, mode: 0o755 });
  await forgetOldest(root);
  const native = await nativeArchitecture(root);
  const changes: Change[] = [];
  for (const change of transaction.changes) {
    const kept = change.from === null ? null : await keep(root, folder, change, native);
    changes.push({ ...change, kept });
  }
  return { changes };
}

async function isIntact(root: Root, kept: KeptPackage): Promise<boolean> {
  if (!(await isThere(root, kept.path))) return false;
  return (await sha256Of(root.outside(kept.path))) === kept.sha256;
}

/** @throws ExecutionFailure when a kept file that the way back needs is gone or altered */
export async function refuseAltered(root: Root, inverse: Transaction): Promise<void> {
  for (const { package: name, to, kept } of inverse.changes) {
    if (to !== null && (kept === null || !(await isIntact(root, kept)))) {
      throw permanent('no-rollback-artifact', `The kept file of ${name} ${to} is gone or altered.`);
    }
  }
}
