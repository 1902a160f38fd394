import type { Patch, PriorityDecision } from '@patchtrail/contracts';
import type { AssetContext, KevKnowledge } from '../domain/prioritize.js';

/** What one patch's decisions are made from, read and written in one transaction. */
export type DecisionStore = Readonly<{
  /** The patch, locked against a concurrent decision; `null` if it is unknown or no longer offered. */
  lockPatch: (patchId: string) => Promise<Patch | null>;
  /** Asset contexts of the endpoints that the patch applies to, or of the one among them. */
  contextsOf: (patchId: string, endpointId: string | null) => Promise<readonly AssetContext[]>;
  kevFor: (cves: readonly string[]) => Promise<KevKnowledge>;
  decisionsOf: (patchId: string) => Promise<readonly PriorityDecision[]>;
  save: (decision: PriorityDecision) => Promise<void>;
  publish: (
    kind: 'PatchPrioritized' | 'PatchReprioritized',
    decision: PriorityDecision,
  ) => Promise<void>;
}>;
