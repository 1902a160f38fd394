import { setTimeout } from 'node:timers/promises';
import type { Sql } from '@patchtrail/postgres';
import type { Logger } from '../logger.js';
import { purgeIdempotencyKeys } from './idempotency.js';

export type KeyPurge = Readonly<{
  /** The database of a service that uses `once` or `claim`. */
  db: Sql;
  now: () => Date;
  signal: AbortSignal;
  log: Logger;
  /** An hour unless told. */
  everyMs?: number;
}>;

const HOUR_MS = 3_600_000;
const BATCHES_MAX = 1_000;

/** Forgets old idempotency keys, at once and then every hour, at most a million at a time. */
export function runKeyPurge(options: KeyPurge): Readonly<{ done: Promise<void> }> {
  return { done: purgeUntilStopped(options) };
}

async function purgeUntilStopped({ signal, everyMs = HOUR_MS, ...work }: KeyPurge): Promise<void> {
  while (!signal.aborted) {
    await purge(work, signal);
    await setTimeout(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

/** A failure waits for the next time: old keys take room, but do no harm. */
async function purge(
  { db, now, log }: Omit<KeyPurge, 'signal' | 'everyMs'>,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (let batch = 0; batch < BATCHES_MAX && !signal.aborted; batch += 1) {
      if ((await purgeIdempotencyKeys(db, now())) === 0) return;
    }
  } catch (error) {
    log.error({ err: error }, 'old idempotency keys could not be purged');
  }
}
