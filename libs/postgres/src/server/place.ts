import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import {
  access,
  chmod,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { errorCode, errorText } from '../error-field.js';
import { isRoot } from './account.js';

/** `folder` holds data, password and log; `shared` is where copied binaries go. */
export type Place = { readonly folder: string; readonly shared: string };

type Note = { readonly dataDir: string; readonly folder: string; readonly shared: string };

const NOTE = 'postgres.json';
const ROOTS_DEFAULT = '/var/lib/patchtrail';
const INSIDE = { folder: './postgres', shared: './postgres' };

function decodeNote(text: string, file: string): Note {
  const value: unknown = JSON.parse(text);
  const field = (key: string): string => {
    const found: unknown = typeof value === 'object' && value ? Reflect.get(value, key) : undefined;
    if (typeof found !== 'string') throw new Error(`${file}: "${key}" must be a path.`);
    return found;
  };
  return { dataDir: field('dataDir'), folder: field('folder'), shared: field('shared') };
}

async function readNote(dataDir: string): Promise<Note | undefined> {
  const file = join(dataDir, NOTE);
  try {
    return decodeNote(await readFile(file, 'utf8'), file);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new Error(
      `${file} cannot be read (${errorText(error)}). Run as the account that made it, or remove the folder to start with an empty database.`,
      { cause: error },
    );
  }
}

/** False when another process noted its place meanwhile; then that one counts. */
async function writeNote(dataDir: string, note: Note, replacing: boolean): Promise<boolean> {
  const file = join(dataDir, NOTE);
  const fresh = `${file}.${randomUUID()}`;
  await writeFile(fresh, `${JSON.stringify(note, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  try {
    await (replacing ? rename(fresh, file) : link(fresh, file));
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(fresh, { force: true });
  }
}

/** Root trusts no folder that someone else could have put there, as anybody can below /tmp. */
async function ownFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path, { recursive: true, mode: 0o755 });
    const found = await lstat(path);
    if (!found.isDirectory() || found.uid !== 0 || (found.mode & 0o022) !== 0) return false;
    if ((found.mode & 0o055) !== 0o055) await chmod(path, 0o755);
    await access(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** A checkout below a closed home is out of the account's reach, so root keeps data elsewhere. */
async function newRootPlace(rootsFolder: string): Promise<Place> {
  let shared = rootsFolder;
  if (!(await ownFolder(shared))) {
    shared = await mkdtemp(join(tmpdir(), 'patchtrail-'));
    await chmod(shared, 0o755);
  }
  const folder = join(shared, `instance-${randomUUID()}`);
  await mkdir(folder, { mode: 0o711 });
  await chmod(folder, 0o711);
  return { folder, shared };
}

async function newOwnPlace(dataDir: string): Promise<Place> {
  const folder = join(dataDir, 'postgres');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return { folder, shared: folder };
}

/** A checkout that was copied, not moved, brings a note along that belongs to the original. */
async function isAnothers(note: Note, dataDir: string): Promise<boolean> {
  if (note.dataDir === dataDir || note.folder === INSIDE.folder) return false;
  const original = await readNote(note.dataDir).catch(() => undefined);
  return original !== undefined && original.folder === note.folder;
}

function resolved(dataDir: string, { folder, shared }: Note): Place {
  return { folder: resolve(dataDir, folder), shared: resolve(dataDir, shared) };
}

async function checked(dataDir: string, place: Place): Promise<Place> {
  const found = await stat(place.folder).catch(() => undefined);
  if (!found)
    throw new Error(
      `${join(dataDir, NOTE)} says that the database is in ${place.folder}, which is gone. Remove that file to start with an empty database.`,
    );
  if (found.uid !== process.getuid?.())
    throw new Error(
      `${place.folder} belongs to uid ${found.uid}. Run as that account, or use another data folder.`,
    );
  return place;
}

/** Undefined when nothing was started here yet. Error: what was noted is gone or another's. */
export async function notedPlace(dataDir: string): Promise<Place | undefined> {
  const note = await readNote(dataDir);
  if (!note || (await isAnothers(note, dataDir))) return undefined;
  return checked(dataDir, resolved(dataDir, note));
}

/**
 * Where the server's files of `dataDir` are: as noted there in `postgres.json`; otherwise a new
 * place, which is then noted. Relative paths in the note are below `dataDir`.
 */
export async function placeOf(dataDir: string, rootsFolder = ROOTS_DEFAULT): Promise<Place> {
  const noted = await notedPlace(dataDir);
  if (noted) return noted;
  const replacing = (await readNote(dataDir)) !== undefined;
  const place = isRoot() ? await newRootPlace(rootsFolder) : await newOwnPlace(dataDir);
  const note = isRoot() ? { dataDir, ...place } : { dataDir, ...INSIDE };
  if (await writeNote(dataDir, note, replacing)) return place;
  if (isRoot()) await rmdir(place.folder);
  return placeOf(dataDir, rootsFolder);
}

export async function openDataDir(dataDir: string): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  return realpath(dataDir);
}
