import { Change } from '@patchtrail/contracts';
import { Type } from '@sinclair/typebox';

/** Pieces of stored events. They are read for ever, so a field may be added, and never narrowed. */
export const Instant = Type.String();
export const By = Type.Object({ by: Type.String(), at: Instant });
export const Stages = Type.Array(
  Type.Object({ name: Type.String(), role: Type.String(), quorum: Type.Integer() }),
);
export const Rollout = Type.Object({
  name: Type.String(),
  rings: Change.properties.plan.properties.rings,
  leaseMs: Type.Integer(),
  retry: Change.properties.plan.properties.retry,
  rollback: Change.properties.plan.properties.rollback,
});
