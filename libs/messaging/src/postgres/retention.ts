import { type ConsumerGroup, CONSUMERS } from '@patchtrail/contracts';
import type { Pool } from 'pg';
import type { Log } from '../log.js';
import { pause } from '../pause.js';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const KEPT_MS = 7 * DAY_MS;
const ROUNDS_MAX = 1_000;

export type BusRetention = Readonly<{
  /** An hour unless told. */
  everyMs?: number;
  /** Groups whose messages are kept although they may never have run; the product's unless told. */
  groups?: readonly ConsumerGroup[];
}>;

/**
 * Deletes messages of more than 7 days, at once and then every hour. What a known group has not
 * consumed is never deleted, however old: a known group is one of `groups`, or one that has ever
 * committed an offset in the topic. A group that is gone for good holds back its topics until its
 * rows are taken out of `group_offsets`. Each partition keeps its newest message, for the next
 * offset follows from it.
 */
export async function runRetention(
  pool: Pool,
  { everyMs = HOUR_MS, groups = Object.values(CONSUMERS) }: BusRetention,
  signal: AbortSignal,
  log: Log | undefined,
): Promise<void> {
  const isOver = () => signal.aborted;
  while (!isOver()) {
    try {
      for (let round = 0; round < ROUNDS_MAX && !isOver(); round += 1) {
        if ((await deleteSome(pool, groups)) === 0) break;
      }
    } catch (error) {
      log?.warn({ err: error }, 'Old messages could not be deleted; they only take room.');
    }
    await pause(everyMs, signal);
  }
}

async function deleteSome(pool: Pool, groups: readonly ConsumerGroup[]): Promise<number> {
  const known = groups.flatMap(({ group, topics }) => topics.map((topic) => ({ group, topic })));
  const { rows } = await pool.query<{ deleted: string }>(
    'SELECT delete_consumed_messages($1, $2, $3)::text AS deleted',
    [KEPT_MS / 1_000, known.map(({ group }) => group), known.map(({ topic }) => topic)],
  );
  return Number(rows[0]?.deleted ?? 0);
}
