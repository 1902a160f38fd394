import { join } from 'node:path';
import { errorText } from '../error-field.js';
import { type Account, run } from './command.js';
import { copyForAll, type EmbeddedPackage, embeddedPackage, repairLinks } from './embedded.js';
import { installedServers } from './installed.js';

export type ServerKind = 'embedded' | 'installed';

/** A server that the account was seen to run. `version` as in `18.4`; `libraries` to load first. */
export type ServerBinaries = {
  readonly kind: ServerKind;
  readonly bin: string;
  readonly version: string;
  readonly major: number;
  readonly libraries: string | undefined;
};

/** Older ones lack privileges that provisioning relies on. */
const OLDEST_MAJOR = 14;

async function inspect(
  kind: ServerKind,
  bin: string,
  libraries: string | undefined,
  account: Account | undefined,
): Promise<ServerBinaries | { readonly problem: string }> {
  const file = join(bin, 'postgres');
  try {
    const { ok, stdout, output } = await run({ file, args: ['--version'], account, libraries });
    const version = /\(PostgreSQL\) (?<version>\d+[.\w]*)/.exec(stdout)?.groups?.['version'];
    if (!ok || version === undefined) return { problem: `${file} does not run: ${output.trim()}` };
    const major = Number.parseInt(version, 10);
    if (major < OLDEST_MAJOR) return { problem: `${file} is version ${version}, too old.` };
    return { kind, bin, version, major, libraries };
  } catch (error) {
    return { problem: errorText(error) };
  }
}

export async function findInstalled(account: Account | undefined): Promise<ServerBinaries[]> {
  const folders = await installedServers();
  const seen = await Promise.all(
    folders.map((bin) => inspect('installed', bin, undefined, account)),
  );
  return seen.filter((server) => 'version' in server);
}

/** In place where the account can run it; else a copy below `shared`. */
export async function usable(
  source: EmbeddedPackage,
  account: Account | undefined,
  shared: string,
): Promise<ServerBinaries> {
  // Where the package is not writable the links are made in the copy.
  await repairLinks(source.native).catch(() => undefined);
  const inspectIn = (native: string): ReturnType<typeof inspect> =>
    inspect('embedded', join(native, 'bin'), join(native, 'lib'), account);
  const inPlace = await inspectIn(source.native);
  if ('version' in inPlace) return inPlace;
  const copied = await copyForAll(source, shared).then(inspectIn, (error: unknown) => ({
    problem: `Copying it to ${shared} failed: ${errorText(error)}`,
  }));
  if ('version' in copied) return copied;
  throw new Error(
    `The npm package ${source.name} cannot be used. ${inPlace.problem} ${copied.problem}`,
  );
}

/** Empty where npm installed no binaries. */
export async function findEmbedded(
  account: Account | undefined,
  shared: string,
): Promise<ServerBinaries[]> {
  const source = await embeddedPackage();
  return source ? [await usable(source, account, shared)] : [];
}
