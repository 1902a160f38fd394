import type { CreatedRollout } from '../domain/rollout-state.js';
import { draftCohort, frozenFrom } from './cohort.js';
import type { CohortDraft } from './cohort.js';
import { type Cause, type DriverDeps, readCreated, tellPart, tellRollout } from './driver.js';
import type { PartName } from './names.js';

/** An append holds at most 1 MiB; an id takes about 40 bytes. */
const ENDPOINTS_PER_APPEND = 10_000;

/**
 * Computes who takes part, once: the draft is kept before anything follows from it, so that whoever
 * resumes after a crash plans the same parts, whatever has happened to the fleet since.
 */
export async function freezeCohort(deps: DriverDeps, cause: Cause): Promise<void> {
  const rollout = await readCreated(deps, cause);
  if (rollout.cohort !== null) return;
  const draft = await draftOf(deps, rollout);
  // A driver that lost its lease in between may hold a draft that came after the freeze.
  if ((await readCreated(deps, cause)).cohort !== null) return;
  for (const [ring, parts] of draft.rings.entries()) {
    for (const [part, endpoints] of parts.entries()) {
      await planPart(deps, cause, { rolloutId: rollout.rolloutId, ring, part }, endpoints);
    }
  }
  const frozen = frozenFrom(rollout.plan, draft);
  const data = { ...frozen, at: deps.now().toISOString() };
  await tellRollout(deps, cause, { type: 'FreezeCohort', data });
}

async function draftOf(deps: DriverDeps, rollout: CreatedRollout): Promise<CohortDraft> {
  const kept = await deps.drafts.find(rollout.rolloutId);
  if (kept !== null) return kept;
  await deps.fleetSettled();
  const needing = await deps.fleet.needing(rollout.patches.map(({ patchId }) => patchId));
  const draft = draftCohort(rollout, needing, await deps.fleet.groups(), deps.partSize);
  return deps.drafts.keep(rollout.rolloutId, draft);
}

async function planPart(
  deps: DriverDeps,
  cause: Cause,
  name: PartName,
  endpoints: readonly string[],
): Promise<void> {
  for (let from = 0; from < endpoints.length; from += ENDPOINTS_PER_APPEND) {
    const piece = endpoints.slice(from, from + ENDPOINTS_PER_APPEND);
    const data = { ...name, endpoints: piece };
    await tellPart(deps, cause, name, { type: 'PlanPart', data }, from);
  }
}
