import { setTimeout as delay } from 'node:timers/promises';

/** Resolves after the time, or at once when the signal aborts; it never rejects. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}

export type Backoff = Readonly<{ firstMs: number; maxMs: number }>;

/** The wait before the n-th retry (from 1): doubling, bounded, and half of it random. */
export function backoffMs({ firstMs, maxMs }: Backoff, retry: number): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(retry - 1, 30));
  return full * (0.5 + Math.random() / 2);
}
