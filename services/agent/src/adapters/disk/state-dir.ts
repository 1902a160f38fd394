import { createHash } from 'node:crypto';
import { mkdir, realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { newEndpointSecret } from '@patchtrail/auth';
import { Type } from '@sinclair/typebox';
import { ConfigError } from '../../config-error.js';
import { decodeJson, Id } from '../decoding/schemas.js';
import { readIfThere, replaceFile } from './files.js';

const IdentitySchema = Type.Object({
  secret: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
  endpointId: Type.Union([Id, Type.Null()]),
});
const SequenceSchema = Type.Object({ sequence: Type.Integer({ minimum: 0 }) });

export type Identity = Readonly<{ secret: string; endpointId: string | null }>;

export type StateDir = Readonly<{
  path: string;
  identity: () => Promise<Identity>;
  saveEndpointId: (endpointId: string) => Promise<void>;
  /** The next inventory's number, on disk before it is answered: none is given out twice. */
  nextSequence: () => Promise<number>;
  release: () => Promise<void>;
}>;

/**
 * Holds an abstract socket that is named after the folder: the kernel lets it go with the
 * process, so nothing stale is left to clean up after a kill.
 */
async function lock(path: string): Promise<() => Promise<void>> {
  const name = createHash('sha256')
    .update(await realpath(path))
    .digest('hex');
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', () => {
      reject(new ConfigError('--state-dir', 'another agent is using this folder'));
    });
    server.listen(`\0patchtrail-agent-${name}`, resolve);
  });
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}

async function ensurePrivate(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const { mode, uid } = await stat(path);
  if ((mode & 0o077) !== 0 || uid !== process.getuid?.()) {
    throw new ConfigError('--state-dir', 'must belong to this user with mode 0700');
  }
}

async function readOrMakeIdentity(path: string): Promise<Identity> {
  const text = await readIfThere(path);
  if (text !== null) return decodeJson(path, IdentitySchema, text);
  // The secret is on disk before anybody is told of it: a crash cannot enrol an unknown one.
  const identity = { secret: newEndpointSecret(), endpointId: null };
  await replaceFile(path, JSON.stringify(identity));
  return identity;
}

/** Opens the agent's own folder, for one process at a time. */
export async function openStateDir(path: string): Promise<StateDir> {
  await ensurePrivate(path);
  const release = await lock(path);
  const identityPath = join(path, 'identity.json');
  const sequencePath = join(path, 'sequence.json');
  const identity = () => readOrMakeIdentity(identityPath);
  return {
    path,
    identity,
    saveEndpointId: async (endpointId) => {
      const { secret } = await identity();
      await replaceFile(identityPath, JSON.stringify({ secret, endpointId }));
    },
    nextSequence: async () => {
      const text = await readIfThere(sequencePath);
      const last = text === null ? 0 : decodeJson(sequencePath, SequenceSchema, text).sequence;
      await replaceFile(sequencePath, JSON.stringify({ sequence: last + 1 }));
      return last + 1;
    },
    release,
  };
}
