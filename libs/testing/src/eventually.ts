import { setTimeout as pause } from 'node:timers/promises';

/**
 * Repeats `check` until it neither throws nor rejects, and returns its result. After the deadline
 * the last failure is thrown, so that the message says what was missing.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { deadlineMs = 30_000, everyMs = 20 }: { deadlineMs?: number; everyMs?: number } = {},
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    try {
      return await check();
    } catch (failure) {
      if (Date.now() >= end) throw failure;
    }
    await pause(everyMs);
  }
}
