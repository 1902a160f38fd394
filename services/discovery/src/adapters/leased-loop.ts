import { setTimeout as sleep } from 'node:timers/promises';
import { type Lease, tryLease } from '@patchtrail/postgres';

const LEASE_RETRY_MS = 1_000;
const BACKOFF_MS_MAX = 30_000;

type Log = Readonly<{ error: (facts: object, message: string) => void }>;

export type LeasedLoop = Readonly<{
  databaseUrl: string;
  /** One loop of a name runs at a time, over all processes. */
  name: string;
  /** Between two rounds with nothing to do. */
  pollMs: number;
  /** True if there may be more to do at once. */
  round: (signal: AbortSignal) => Promise<boolean>;
  signal: AbortSignal;
  log: Log;
}>;

/** Rounds of work under a lease until the signal aborts; a failed round is tried again later. */
export function runLeasedLoop(loop: LeasedLoop): Readonly<{ done: Promise<void> }> {
  return { done: untilAborted(loop) };
}

async function untilAborted(loop: LeasedLoop): Promise<void> {
  let failures = 0;
  while (!loop.signal.aborted) {
    try {
      const lease = await tryLease(loop.databaseUrl, loop.name);
      if (lease === null) await pause(LEASE_RETRY_MS, loop.signal);
      else await whileHeld(loop, lease, () => (failures = 0));
    } catch (error) {
      failures += 1;
      loop.log.error(
        { err: error, loop: loop.name, failures },
        'A round failed and is tried again.',
      );
      await pause(Math.min(BACKOFF_MS_MAX, 500 * 2 ** Math.min(failures, 10)), loop.signal);
    }
  }
}

async function whileHeld(loop: LeasedLoop, lease: Lease, succeeded: () => void): Promise<void> {
  const signal = AbortSignal.any([loop.signal, lease.lost]);
  try {
    while (!signal.aborted) {
      const more = await loop.round(signal);
      succeeded();
      if (!more) await pause(loop.pollMs, signal);
    }
  } finally {
    await lease.release();
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
