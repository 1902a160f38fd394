import {
  CATEGORIES,
  type Category,
  type GroupSelectors,
  matchesSelector,
  unknownAttribute,
} from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import type { Change, Selector } from '../domain/change.js';
import type { Fleet, KnownDecision, KnownPatch, TouchedEndpoint } from './ports.js';

/** What a change would touch, and how urgent it is there. */
export type Impact = Readonly<{
  endpointCount: number;
  departments: readonly string[];
  exposures: readonly TouchedEndpoint['attributes']['exposure'][];
  impacts: readonly TouchedEndpoint['attributes']['businessImpact'][];
  environments: readonly TouchedEndpoint['attributes']['environment'][];
  category: Category;
  provisional: boolean;
  dueAt: string | null;
  decisionIds: readonly string[];
}>;

/** Patch × asset context in which it is missing. */
type Need = Readonly<{ patchId: string; exposure: string; businessImpact: string }>;

/** The patches at the revisions that are offered now. @throws DomainError */
export async function resolvePatches(
  fleet: Fleet,
  patchIds: readonly string[],
): Promise<readonly KnownPatch[]> {
  const known = new Map((await fleet.patches(patchIds)).map((patch) => [patch.patchId, patch]));
  return patchIds.map((patchId, index) => {
    const at = `patchIds[${String(index)}]`;
    if (patchIds.indexOf(patchId) !== index) {
      throw new DomainError('invalid-patches', `${at}: must be there once`);
    }
    const patch = known.get(patchId);
    if (patch === undefined) throw new DomainError('unknown-patch', `${at}: must be a known patch`);
    if (patch.status !== 'available') {
      throw new DomainError(`patch-${patch.status}`, `${at}: has been ${patch.status}`);
    }
    return patch;
  });
}

/** Refuses attributes no endpoint has and groups nobody defined, for they would select nothing. */
export function checkSelector(selector: Selector, groups: GroupSelectors | null, at: string): void {
  const attribute = unknownAttribute(mutable(selector));
  if (attribute !== null) {
    const rule = 'is not an attribute of endpoints';
    throw new DomainError('invalid-selector', `${at}.attributes.${attribute}: ${rule}`);
  }
  if (groups === null) return;
  const index = (selector.groupIds ?? []).findIndex((id) => !groups.has(id));
  if (index !== -1) {
    const place = `${at}.groupIds[${String(index)}]`;
    throw new DomainError('unknown-group', `${place}: must be a known device group`);
  }
}

/** Who misses the patches within the scope, and what was decided for them. @throws DomainError */
export async function assess(
  fleet: Fleet,
  patches: readonly KnownPatch[],
  scope: Change['scope'],
  groups: GroupSelectors,
): Promise<Impact> {
  const ids = patches.map(({ patchId }) => patchId);
  const selector = mutable(scope);
  const seen = new Seen();
  for await (const endpoint of fleet.touched(ids)) {
    if (matchesSelector(endpoint, selector, groups)) seen.add(endpoint);
  }
  if (seen.endpointCount === 0) {
    throw new DomainError('nothing-to-patch', 'scope: no endpoint of it misses any of the patches');
  }
  const decided = decisionsFor(patches, [...seen.needs.values()], await fleet.decisions(ids));
  return { ...seen.summary(), ...urgencyOf(decided) };
}

class Seen {
  endpointCount = 0;
  readonly needs = new Map<string, Need>();
  private readonly departments = new Set<string>();
  private readonly exposures = new Set<Impact['exposures'][number]>();
  private readonly impacts = new Set<Impact['impacts'][number]>();
  private readonly environments = new Set<Impact['environments'][number]>();

  add({ attributes, patchIds }: TouchedEndpoint): void {
    const { department, exposure, businessImpact, environment } = attributes;
    this.endpointCount += 1;
    this.departments.add(department);
    this.exposures.add(exposure);
    this.impacts.add(businessImpact);
    this.environments.add(environment);
    for (const patchId of patchIds) {
      this.needs.set([patchId, exposure, businessImpact].join(), {
        patchId,
        exposure,
        businessImpact,
      });
    }
  }

  summary() {
    return {
      endpointCount: this.endpointCount,
      departments: [...this.departments].sort(),
      exposures: [...this.exposures].sort(),
      impacts: [...this.impacts].sort(),
      environments: [...this.environments].sort(),
    };
  }
}

/** One decision per need, at the revision that is asked for. */
function decisionsFor(
  patches: readonly KnownPatch[],
  needs: readonly Need[],
  decisions: readonly KnownDecision[],
): readonly KnownDecision[] {
  const revisions = new Map(patches.map(({ patchId, revision }) => [patchId, revision]));
  return needs.map((need) => {
    const decision = decisions.find(
      ({ patchId, patchRevision, exposure, businessImpact }) =>
        patchId === need.patchId &&
        patchRevision === revisions.get(patchId) &&
        exposure === need.exposure &&
        businessImpact === need.businessImpact,
    );
    if (decision !== undefined) return decision;
    const context = `exposure ${need.exposure}, business impact ${need.businessImpact}`;
    throw new DomainError(
      'not-prioritized',
      `patchIds: ${need.patchId} has no priority yet for ${context}`,
    );
  });
}

function urgencyOf(decisions: readonly KnownDecision[]) {
  const strictness = (category: Category) => CATEGORIES.indexOf(category);
  const category = decisions
    .map((decision) => decision.category)
    .reduce((strictest, next) => (strictness(next) < strictness(strictest) ? next : strictest));
  const due = decisions.flatMap(({ dueAt }) => (dueAt === null ? [] : [dueAt]));
  return {
    category,
    provisional: decisions.some((decision) => decision.provisional),
    dueAt: due.sort((a, b) => Date.parse(a) - Date.parse(b))[0] ?? null,
    decisionIds: decisions.map(({ decisionId }) => decisionId).sort(),
  };
}

/** The contract's selector is not readonly, and nothing here changes it. */
function mutable({ attributes, endpointIds, groupIds }: Selector) {
  return {
    ...(attributes === undefined ? {} : { attributes: { ...attributes } }),
    ...(endpointIds === undefined ? {} : { endpointIds: [...endpointIds] }),
    ...(groupIds === undefined ? {} : { groupIds: [...groupIds] }),
  };
}
