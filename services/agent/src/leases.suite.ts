import { randomUUID } from 'node:crypto';
import type { Lease } from './domain/lease.js';

export type LeasedArtifact = Readonly<{
  package: string;
  version: string;
  architecture?: string;
  sha256?: string;
}>;

/** A lease for one version of one package, with what a test says otherwise. */
export function leaseOf(
  endpointId: string,
  { package: name, version, architecture = 'all', sha256 = '0'.repeat(64) }: LeasedArtifact,
  overrides: Partial<Lease> = {},
): Lease {
  const uri = 'http://archive.example/some.deb';
  const artifact = { package: name, version, architecture, uri, sha256, size: 1_000 };
  return {
    attemptId: randomUUID(),
    rolloutId: randomUUID(),
    endpointId,
    ring: 'pilot',
    kind: 'install',
    epoch: 1,
    leaseExpiresAt: '2100-01-01T00:00:00Z',
    patches: [
      { patchId: randomUUID(), sourcePackage: name, sourceVersion: version, artifacts: [artifact] },
    ],
    rollbackOf: null,
    ...overrides,
  };
}

/** The lease that undoes another. */
export function rollbackOf(undone: Lease, overrides: Partial<Lease> = {}): Lease {
  const { attemptId } = undone;
  const kind = 'rollback';
  return {
    ...undone,
    attemptId: randomUUID(),
    kind,
    epoch: 2,
    rollbackOf: attemptId,
    ...overrides,
  };
}
