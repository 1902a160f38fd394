import { setTimeout } from 'node:timers/promises';
import { purgeInbox, purgeRefusedMessages } from '@patchtrail/messaging';
import type { Sql } from '@patchtrail/postgres';
import { purgeIdempotencyKeys } from './http/idempotency.js';
import type { Logger } from './logger.js';

/** Forgets some of what is too old, and says how much; 0 when nothing is left. */
export type Forget = (db: Sql, now: Date) => Promise<number>;

export type Purge = Readonly<{
  /** A service's database. */
  db: Sql;
  now: () => Date;
  signal: AbortSignal;
  log: Logger;
  /** An hour unless told. */
  everyMs?: number;
  /** `FORGOTTEN_BY_ALL` unless told. */
  forget?: readonly Forget[];
}>;

const HOUR_MS = 3_600_000;
const BATCHES_MAX = 1_000;
/** What every service has. */
export const FORGOTTEN_BY_ALL: readonly Forget[] = [
  purgeIdempotencyKeys,
  purgeInbox,
  purgeRefusedMessages,
];

/**
 * Forgets what nobody can need any more, at once and then every hour, at most a million rows of a
 * kind at a time: idempotency keys after a day, consumed messages after 30, what was refused after 90.
 */
export function runPurge(options: Purge): Readonly<{ done: Promise<void> }> {
  return { done: purgeUntilStopped(options) };
}

async function purgeUntilStopped(options: Purge): Promise<void> {
  const { signal, everyMs = HOUR_MS, forget = FORGOTTEN_BY_ALL } = options;
  while (!signal.aborted) {
    for (const each of forget) await purge(options, each);
    await setTimeout(everyMs, undefined, { signal }).catch(() => undefined);
  }
}

/** A failure waits for the next time: old rows take room, but do no harm. */
async function purge({ db, now, log, signal }: Purge, forget: Forget): Promise<void> {
  try {
    for (let batch = 0; batch < BATCHES_MAX && !signal.aborted; batch += 1) {
      if ((await forget(db, now())) === 0) return;
    }
  } catch (error) {
    log.error({ err: error, what: forget.name }, 'old rows could not be purged');
  }
}
