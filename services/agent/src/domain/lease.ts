/** One binary package of a patch, as discovery verified it. */
export type Artifact = Readonly<{
  package: string;
  version: string;
  architecture: string;
  uri: string;
  sha256: string;
  size: number;
}>;

export type LeasedPatch = Readonly<{
  patchId: string;
  sourcePackage: string;
  sourceVersion: string;
  artifacts: readonly Artifact[];
}>;

/** Leave to carry out one attempt, valid for its epoch only. */
export type Lease = Readonly<{
  attemptId: string;
  rolloutId: string;
  endpointId: string;
  ring: string;
  kind: 'install' | 'rollback';
  epoch: number;
  leaseExpiresAt: string;
  patches: readonly LeasedPatch[];
  /** The install attempt that a rollback undoes. */
  rollbackOf: string | null;
}>;
