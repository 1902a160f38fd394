import type { Bus } from '@patchtrail/messaging';

/**
 * How far a group is behind its topics, in milliseconds: 0 when nothing is waiting, else at most the
 * time since it was last seen to have caught up.
 */
export function lagClock(
  { bus, now }: Readonly<{ bus: Bus; now: () => Date }>,
  group: string,
  topics: readonly string[],
): () => Promise<number> {
  let caughtUpAt = now().getTime();
  return async () => {
    const at = now().getTime();
    if ((await bus.lag(group, topics)) > 0n) return Math.max(1, at - caughtUpAt);
    caughtUpAt = at;
    return 0;
  };
}
