import { digestOf, type GroupSelectors, isWithin, matchesSelector } from '@patchtrail/contracts';
import type { SelectableEndpoint } from '@patchtrail/contracts';
import {
  capOf,
  partCountOf,
  type Plan,
  type Reach,
  type Ring,
  type Selector,
} from '../domain/plan.js';
import type { CohortRing } from '../domain/rollout-messages.js';

/** Who takes part: the endpoint ids of each part of each ring. */
export type CohortDraft = Readonly<{
  rings: readonly (readonly (readonly string[])[])[];
  /** In scope and in need, but matched by no ring, or such as nobody has approved it for. */
  excludedCount: number;
}>;

/** A part's stream is folded for every lease; this keeps a fold short. */
const PART_SIZE = 500;

/** Every endpoint in scope goes to the first ring that matches; the same input gives the same draft. */
export function draftCohort(
  { plan, scope, reach }: { plan: Plan; scope: Selector; reach?: Reach },
  needing: readonly SelectableEndpoint[],
  groups: GroupSelectors,
  partSize = PART_SIZE,
): CohortDraft {
  const inScope = needing
    .filter((endpoint) => matchesSelector(endpoint, scope, groups))
    .toSorted((a, b) => (a.endpointId < b.endpointId ? -1 : 1));
  const members: string[][] = plan.rings.map(() => []);
  let excludedCount = 0;
  for (const endpoint of inScope) {
    const isApproved = reach === undefined || isWithin(endpoint, reach);
    const ring = plan.rings.findIndex(
      ({ selector }) => isApproved && matchesSelector(endpoint, selector, groups),
    );
    const taken = members[ring];
    if (taken === undefined) excludedCount += 1;
    else taken.push(endpoint.endpointId);
  }
  const rings = plan.rings.map((ring, index) => partsOf(ring, members[index] ?? [], partSize));
  return { rings, excludedCount };
}

function partsOf(ring: Ring, members: readonly string[], partSize: number): string[][] {
  if (members.length === 0) return [];
  const count = partCountOf(members.length, capOf(ring.cap, members.length), partSize);
  const parts: string[][] = Array.from({ length: count }, () => []);
  for (const [index, endpointId] of members.entries()) parts[index % count]?.push(endpointId);
  return parts;
}

/** What the rollout's own stream says of its cohort. */
export function frozenFrom(
  plan: Plan,
  draft: CohortDraft,
): { cohortDigest: string; rings: CohortRing[]; excludedCount: number } {
  const rings = draft.rings.map((parts, index) => ({
    ring: plan.rings[index]?.name ?? '',
    endpointCount: parts.reduce((sum, part) => sum + part.length, 0),
    parts: parts.map((part) => part.length),
  }));
  return { cohortDigest: digestOf(draft), rings, excludedCount: draft.excludedCount };
}
