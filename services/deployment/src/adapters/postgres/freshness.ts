import type { Projection } from '@patchtrail/event-store';
import type { SnapshotFacts } from '@patchtrail/platform';

/** How far the lists are behind the streams. */
export function freshnessOf(projection: () => Projection | null, now: () => Date) {
  let caughtUpAt = now().getTime();
  return (): SnapshotFacts => {
    const position = projection()?.position() ?? null;
    const at = now().getTime();
    if (projection()?.caughtUp() !== true) {
      const partial = ['The newest rollouts may be missing.'];
      return { position, lagMs: Math.max(1, at - caughtUpAt), partial };
    }
    caughtUpAt = at;
    return { position, lagMs: 0 };
  };
}
