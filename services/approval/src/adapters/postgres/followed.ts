import type { Position, Projection } from '@patchtrail/event-store';
import type { SnapshotFacts } from '@patchtrail/platform';

const SETTLE_DEADLINE_MS = 5_000;

/** How far the read models have come, for those who read them and those who wait for them. */
export function followed(projection: () => Projection | null, now: () => Date) {
  let caughtUpAt = now().getTime();
  return {
    freshness: (): SnapshotFacts => {
      const following = projection();
      const position = following?.position() ?? null;
      const at = now().getTime();
      if (following?.caughtUp() === true) {
        caughtUpAt = at;
        return { position, lagMs: 0 };
      }
      const partial = ['The newest requests, plans and policies may be missing.'];
      return { position, lagMs: Math.max(1, at - caughtUpAt), partial };
    },
    settled: async (position: Position | null): Promise<void> => {
      if (position !== null) await projection()?.reached(position, SETTLE_DEADLINE_MS);
    },
  };
}
