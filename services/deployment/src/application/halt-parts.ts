import { hasStopped } from '../domain/wave-part.js';
import { type Cause, type DriverDeps, readCreated, tellPartUntil, tellRollout } from './driver.js';
import { partNamesOf } from './part-counts.js';

/**
 * Stops every part of a rollout that is to halt, rings that never opened included: nothing can open
 * them any more. Acknowledged once the last part has stopped.
 */
export async function haltParts(deps: DriverDeps, cause: Cause): Promise<void> {
  const rollout = await readCreated(deps, cause);
  // Without a cohort there is no part yet; `CohortFrozen` leads here again.
  if (rollout.status !== 'halting' || rollout.cohort === null) return;
  const { epoch } = rollout;
  let recalledCount = 0;
  for (const name of partNamesOf(rollout)) {
    const command = { type: 'HaltPart', data: { epoch } } as const;
    const part = await tellPartUntil(deps, cause, name, command, hasStopped);
    if (part.status !== 'absent') recalledCount += part.recalledCount;
  }
  await tellRollout(deps, cause, { type: 'AcknowledgeHalt', data: { epoch, recalledCount } });
}
