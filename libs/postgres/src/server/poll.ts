import { setTimeout as pause } from 'node:timers/promises';

/** True as soon as `check` holds, false when it did not within the deadline. */
export async function holdsWithin(
  deadlineMs: number,
  check: () => Promise<boolean>,
  everyMs = 25,
): Promise<boolean> {
  const end = Date.now() + deadlineMs;
  while (!(await check())) {
    if (Date.now() >= end) return false;
    await pause(everyMs);
  }
  return true;
}
