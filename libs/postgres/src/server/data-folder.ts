import { randomBytes, randomUUID } from 'node:crypto';
import {
  chown,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../error-field.js';
import type { ServerBinaries, ServerKind } from './binaries.js';
import { type Account, run } from './command.js';

export type DataFolder = { readonly kind: ServerKind; readonly major: number };

export const SUPERUSER = 'postgres';
const NAME = /^(?<kind>embedded|installed)-(?<major>\d+)$/;
const UNFINISHED = '.unfinished-';
const ABANDONED_AFTER_MS = 10 * 60_000;

export function dataFolderName({ kind, major }: DataFolder): string {
  return `${kind}-${major}`;
}

/** Which servers have data here. One folder per kind and major version, so none spoils another's. */
export async function dataFolders(place: string): Promise<DataFolder[]> {
  return (await readdir(place)).flatMap((name) => {
    const groups = NAME.exec(name)?.groups;
    if (!groups) return [];
    const kind = groups['kind'] === 'embedded' ? 'embedded' : 'installed';
    return [{ kind, major: Number(groups['major']) }];
  });
}

/** Made before the data, which is never without one, and once for all that start together. */
export async function superuserPassword(
  place: string,
  account: Account | undefined,
): Promise<string> {
  const file = join(place, 'password');
  if (!(await stat(file).catch(() => undefined))) {
    const fresh = `${file}.${randomUUID()}`;
    const password = randomBytes(32).toString('base64url');
    await writeFile(fresh, `${password}\n`, { mode: 0o600, flag: 'wx' });
    if (account) await chown(fresh, account.uid, account.gid);
    await link(fresh, file).catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error;
    });
    await rm(fresh);
  }
  return (await readFile(file, 'utf8')).trim();
}

/** Byte order on every host; where the C library lacks C.UTF-8, characters beyond ASCII have no case. */
function localesFor(major: number): string[][] {
  if (major >= 17) return [['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']];
  return [['--locale=C.UTF-8'], ['--locale=C']];
}

async function removeAbandoned(place: string): Promise<void> {
  for (const name of await readdir(place)) {
    if (!name.includes(UNFINISHED)) continue;
    const found = await stat(join(place, name)).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS)
      await rm(join(place, name), { recursive: true, force: true });
  }
}

async function initialize(
  server: ServerBinaries,
  target: string,
  passwordFile: string,
  account: Account | undefined,
  durable: boolean,
): Promise<void> {
  let output = '';
  for (const locale of localesFor(server.major)) {
    await rm(target, { recursive: true, force: true });
    await mkdir(target, { mode: 0o700 });
    if (account) await chown(target, account.uid, account.gid);
    const args = ['-D', target, '-U', SUPERUSER, '-E', 'UTF8', '--auth=scram-sha-256'];
    if (!durable) args.push('--no-sync');
    const outcome = await run({
      file: join(server.bin, 'initdb'),
      args: [...args, `--pwfile=${passwordFile}`, '--no-instructions', ...locale],
      account,
      libraries: server.libraries,
    });
    if (outcome.ok) return;
    output = outcome.output;
  }
  throw new Error(`initdb of PostgreSQL ${server.version} failed: ${output.trim()}`);
}

async function checkVersion(folder: string, server: ServerBinaries): Promise<void> {
  const found = (await readFile(join(folder, 'PG_VERSION'), 'utf8')).trim();
  if (found !== String(server.major))
    throw new Error(
      `${folder} holds data of PostgreSQL ${found}, and the server is ${server.version}. Use a server of version ${found}, or move the folder away to start with an empty database.`,
    );
}

/**
 * The data folder for this server, initialized when there is none. initdb works on a folder of
 * another name, so a folder under the final name is always complete.
 */
export async function dataFolderFor(
  place: string,
  server: ServerBinaries,
  account: Account | undefined,
  durable = true,
): Promise<string> {
  await removeAbandoned(place);
  const folder = join(place, dataFolderName(server));
  if (!(await stat(folder).catch(() => undefined))) {
    const unfinished = `${folder}${UNFINISHED}${randomUUID()}`;
    try {
      await initialize(server, unfinished, join(place, 'password'), account, durable);
      await rename(unfinished, folder);
    } catch (error) {
      await rm(unfinished, { recursive: true, force: true });
      // A process that started at the same moment may have finished first.
      if (!(await stat(folder).catch(() => undefined))) throw error;
    }
  }
  await checkVersion(folder, server);
  return folder;
}
