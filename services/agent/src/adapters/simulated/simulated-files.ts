import { dirname, resolve } from 'node:path';
import { readFile } from 'node:fs/promises';
import { type Static, Type } from '@sinclair/typebox';
import { FAILURE_CLASSES } from '../../domain/failure.js';
import {
  Architecture,
  decodeJson,
  oneOf,
  PackageName,
  PackageVersion,
} from '../decoding/schemas.js';
import { replaceFile } from '../disk/files.js';

const Text = Type.String({ maxLength: 1_000 });
const closed = { additionalProperties: false };

const FaultSchema = Type.Object(
  {
    package: PackageName,
    version: PackageVersion,
    /** Only on this model; on every one when left out. */
    hardwareModel: Type.Optional(Text),
    during: oneOf(['install', 'rollback'] as const),
    class: oneOf(FAILURE_CLASSES),
    transient: Type.Boolean(),
    /** `half-configured`: the new version is there with status `iF `. */
    leaves: oneOf(['half-configured', 'unchanged'] as const),
    detail: Text,
  },
  closed,
);

/** A simulated endpoint: what the file says is what is installed. */
export const EndpointFileSchema = Type.Object(
  {
    hostname: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$' }),
    platform: Type.Object(
      { os: Text, release: Text, codename: Text, architecture: Architecture },
      closed,
    ),
    hardwareModel: Text,
    /** Path of the repository file, relative to this file. */
    repository: Text,
    packages: Type.Array(
      Type.Object(
        {
          name: PackageName,
          version: PackageVersion,
          architecture: Architecture,
          sourceName: PackageName,
          sourceVersion: PackageVersion,
          status: Type.String({ pattern: '^[a-zA-Z]{2}[ a-zA-Z]$' }),
        },
        closed,
      ),
      { maxItems: 20_000 },
    ),
    /** `name:architecture` */
    holds: Type.Array(Text),
    sources: Type.Array(
      Type.Object(
        {
          uri: Text,
          suite: Text,
          components: Type.Array(Text),
          keyFingerprints: Type.Array(Text),
        },
        closed,
      ),
    ),
    faults: Type.Array(FaultSchema),
  },
  closed,
);
export type EndpointFile = Static<typeof EndpointFileSchema>;

/** All versions of every package on offer; their order in the file is their order in age. */
const RepositoryFileSchema = Type.Object(
  {
    packages: Type.Array(
      Type.Object(
        {
          name: PackageName,
          architecture: Architecture,
          sourceName: PackageName,
          /** Oldest first. */
          versions: Type.Array(
            Type.Object(
              {
                version: PackageVersion,
                sourceVersion: PackageVersion,
                /** As apt prints it: `Debian-Security:12/oldstable-security`. */
                origin: Text,
              },
              closed,
            ),
            { minItems: 1 },
          ),
        },
        closed,
      ),
    ),
  },
  closed,
);
export type RepositoryFile = Static<typeof RepositoryFileSchema>;

export type SimulatedFiles = Readonly<{
  endpoint: () => Promise<EndpointFile>;
  repository: () => Promise<RepositoryFile>;
  save: (endpoint: EndpointFile) => Promise<void>;
  /** Beside the state file, in the form of apt's own. */
  historyPath: string;
}>;

export function openSimulatedFiles(file: string): SimulatedFiles {
  const endpoint = async () => decodeJson(file, EndpointFileSchema, await readFile(file, 'utf8'));
  return {
    endpoint,
    repository: async () => {
      const path = resolve(dirname(file), (await endpoint()).repository);
      return decodeJson(path, RepositoryFileSchema, await readFile(path, 'utf8'));
    },
    save: (next) => replaceFile(file, `${JSON.stringify(next, null, 2)}\n`),
    historyPath: `${file.replace(/\.json$/, '')}.history.log`,
  };
}
