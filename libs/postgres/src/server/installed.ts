import { readdir, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { searchPath } from './config.js';

/** Folders that hold a folder per version. */
const VERSIONED = [
  { parent: '/usr/lib/postgresql', bin: 'bin' },
  { parent: '/opt/homebrew/opt', bin: 'bin' },
  { parent: '/usr/local/opt', bin: 'bin' },
  { parent: '/usr', bin: 'bin' },
];
const VERSION_FOLDER = /^(?:postgresql@|pgsql-)?(?<major>\d{2})$/;

async function newestFirst(parent: string): Promise<string[]> {
  const names = await readdir(parent).catch((): string[] => []);
  return names
    .map((name) => ({ name, major: Number(VERSION_FOLDER.exec(name)?.groups?.['major']) }))
    .filter(({ major }) => !Number.isNaN(major))
    .sort((a, b) => b.major - a.major)
    .map(({ name }) => join(parent, name));
}

async function serverFolder(bin: string): Promise<string | undefined> {
  try {
    // A search path often holds a link into the folder where initdb stands beside the server.
    const folder = dirname(await realpath(join(bin, 'postgres')));
    return (await stat(join(folder, 'initdb'))).isFile() ? folder : undefined;
  } catch {
    return undefined;
  }
}

/** Folders with `postgres` and `initdb`: the search path first, then the packagers' places. */
export async function installedServers(): Promise<string[]> {
  const folders = searchPath();
  for (const { parent, bin } of VERSIONED)
    folders.push(...(await newestFirst(parent)).map((folder) => join(folder, bin)));
  const found = await Promise.all(folders.map(serverFolder));
  return [...new Set(found.filter((folder) => folder !== undefined))];
}
