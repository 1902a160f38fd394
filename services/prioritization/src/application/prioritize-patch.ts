import { isDeepStrictEqual } from 'node:util';
import type { Patch, PriorityDecision } from '@patchtrail/contracts';
import { v5 } from 'uuid';
import { BOD_26_04 } from '../domain/bod-26-04.js';
import {
  type AssetContext,
  type Decision,
  type KevKnowledge,
  prioritize,
} from '../domain/prioritize.js';
import type { DecisionStore } from './ports.js';

const DECISION_NAMESPACE = '6c2f7a54-0f0e-5b7e-9d0c-5f2f3c1d7a10';

/**
 * Decides a patch anew in every asset context it applies to, or in that of one endpoint where only
 * the endpoint changed; publishes only what has changed.
 */
export async function prioritizePatch(
  store: DecisionStore,
  patchId: string,
  endpointId: string | null,
  at: string,
): Promise<void> {
  const patch = await store.lockPatch(patchId);
  if (patch === null) return;
  const kev = await store.kevFor(patch.cves);
  const known = new Map((await store.decisionsOf(patchId)).map((d) => [d.decisionId, d]));
  for (const context of await store.contextsOf(patchId, endpointId)) {
    const decision = decisionFor(patch, context, kev, at);
    const before = known.get(decision.decisionId);
    if (before !== undefined && sameDecision(before, decision)) continue;
    await store.save(decision);
    await store.publish(before === undefined ? 'PatchPrioritized' : 'PatchReprioritized', decision);
  }
}

function decisionFor(
  patch: Patch,
  context: AssetContext,
  kev: KevKnowledge,
  at: string,
): PriorityDecision {
  const facts = { ...patch, cvesKnown: patch.changelog.status === 'verified' };
  const decided = prioritize(BOD_26_04, facts, context, kev);
  const name = [patch.patchId, patch.revision, context.exposure, context.businessImpact].join('|');
  return {
    decisionId: v5(name, DECISION_NAMESPACE),
    patchId: patch.patchId,
    patchRevision: patch.revision,
    exposure: context.exposure,
    businessImpact: context.businessImpact,
    category: decided.category,
    provisional: decided.provisional,
    response: decided.response,
    dueAt: decided.dueAt,
    pack: { name: BOD_26_04.name, version: BOD_26_04.version },
    rows: decided.rows.map(({ row, outcome, days }) => ({ row, outcome, days })),
    inputs: inputsOf(decided),
    decidedAt: at,
  };
}

function inputsOf({ inputs }: Decision): PriorityDecision['inputs'] {
  return [
    { name: 'in-kev', ...inputs['in-kev'] },
    { name: 'publicly-exposed', ...inputs['publicly-exposed'] },
    { name: 'automatable', ...inputs.automatable },
    { name: 'technical-impact-total', ...inputs['technical-impact-total'] },
    { name: 'has-cve', ...inputs['has-cve'] },
    { name: 'security-origin', ...inputs['security-origin'] },
  ];
}

function sameDecision(a: PriorityDecision, b: PriorityDecision): boolean {
  return isDeepStrictEqual({ ...a, decidedAt: '' }, { ...b, decidedAt: '' });
}
