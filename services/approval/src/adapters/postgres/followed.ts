import type { Position, Projection } from '@patchtrail/event-store';
import { problem, type SnapshotFacts } from '@patchtrail/platform';

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
    /** Resolves once the rows lack nothing that was there. @throws Problem 503 `unavailable` */
    current: async (): Promise<void> => {
      const following = projection();
      if (following?.caughtUp() === true) return;
      if ((await following?.reachedHead(SETTLE_DEADLINE_MS)) === true) return;
      throw problem(
        'unavailable',
        'What is in force cannot be told at the moment: ask again later.',
      );
    },
    settled: async (position: Position | null): Promise<void> => {
      if (position !== null) await projection()?.reached(position, SETTLE_DEADLINE_MS);
    },
  };
}
