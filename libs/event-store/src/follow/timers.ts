import { DomainError } from '@patchtrail/event-sourcing';
import { type Database, failureColumns, type Sql } from '@patchtrail/postgres';
import type { StoredEvent } from '../event-store.js';
import { commandIdFrom } from '../ids.js';
import { parseInstant } from '../instant.js';
import { backoffMs, pause } from '../pause.js';
import type { Log } from './log.js';
import { inFiring, observeOverdue } from './observed-timers.js';
import type { Projection } from './progress.js';
import type { ProjectedTable } from './projected-table.js';

const POLL_MS_DEFAULT = 250;
const CLAIM_MAX = 10;
const CATCH_UP_DEADLINE_MS = 2_000;
const RETRY_BACKOFF = { firstMs: 1_000, maxMs: 60_000 };
const POLL_BACKOFF = { firstMs: 250, maxMs: 10_000 };
const TIMER_SCHEDULED = 'TimerScheduled';

export type Timer = Readonly<{
  timerId: string;
  stream: string;
  purpose: string;
  /** Which scheduling of the timer this is; its stream ignores every one but the latest. */
  generation: number;
  /** RFC 3339 in UTC. */
  dueAt: string;
}>;

export type TimerOptions = Readonly<{
  db: Database;
  /** The one that calls `projectTimer`. */
  projection: Projection;
  /** May be called twice for one generation: pass `commandId` on to `handle`. */
  elapse: (timer: Timer, commandId: string) => Promise<void>;
  now: () => Date;
  signal: AbortSignal;
  log: Log;
  /** 250 by default. */
  pollMs?: number;
}>;

type TimerRow = Omit<Timer, 'dueAt'> & {
  dueAt: Date;
  tries: number;
  traceparent: string | null;
};

/** What `projectTimer` writes. What became of a generation is known to its row alone. */
export const TIMERS_TABLE: ProjectedTable = {
  name: 'timers',
  kept: {
    of: ['stream', 'timer_id', 'generation'],
    columns: ['elapsed_at', 'tries', 'retry_at', 'last_error'],
  },
};

/**
 * Keeps the latest generation of each timer of a stream from `TimerScheduled` facts, and passes
 * over any other event. Throws where the fact lacks a field, naming it and its rule.
 */
export async function projectTimer(
  tx: Sql,
  event: Pick<StoredEvent, 'stream' | 'type' | 'data' | 'metadata'>,
): Promise<void> {
  if (event.type !== TIMER_SCHEDULED) return;
  const { timerId, generation, dueAt, purpose } = timerFact(event.data);
  await tx.run(
    `INSERT INTO timers AS known (stream, timer_id, generation, due_at, purpose, traceparent)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (stream, timer_id) DO UPDATE
     SET generation = excluded.generation, due_at = excluded.due_at, purpose = excluded.purpose,
       traceparent = excluded.traceparent,
       elapsed_at = NULL, tries = 0, retry_at = NULL, last_error = NULL
     WHERE known.generation < excluded.generation`,
    [event.stream, timerId, generation, dueAt, purpose, event.metadata.traceparent],
  );
}

/**
 * Elapses timers when they are due: claims rows with SKIP LOCKED, so that several processes share
 * the work, and only after the projection has applied all that the store held just before, so that
 * no timer fires that was replaced or is being rebuilt. What fails is tried again with a bounded
 * backoff; `tries` and `last_error` of the row tell. What the domain refuses counts as elapsed.
 */
export function runTimers(options: TimerOptions): { done: Promise<void> } {
  const forget = observeOverdue(options);
  return { done: poll(options).finally(forget) };
}

async function poll(options: TimerOptions): Promise<void> {
  const { signal, log, pollMs = POLL_MS_DEFAULT } = options;
  let failures = 0;
  const isOver = () => signal.aborted;
  while (!isOver()) {
    try {
      const claimed = await elapseDue(options);
      failures = 0;
      if (claimed < CLAIM_MAX) await pause(pollMs, signal);
    } catch (error) {
      if (isOver()) return;
      failures += 1;
      log.error({ err: error, failures }, 'looking for due timers failed');
      await pause(backoffMs(POLL_BACKOFF, failures), signal);
    }
  }
}

/** Returns how many rows were claimed: as many as it may if there can be more. */
async function elapseDue(options: TimerOptions): Promise<number> {
  const { db, projection, now } = options;
  if (!(await projection.reachedHead(CATCH_UP_DEADLINE_MS))) return 0;
  return db.transaction(async (tx) => {
    const due = await tx.rows<TimerRow>(
      `SELECT timer_id AS "timerId", stream, purpose, generation, due_at AS "dueAt", tries,
              traceparent
       FROM timers WHERE elapsed_at IS NULL AND coalesce(retry_at, due_at) <= $1
       ORDER BY coalesce(retry_at, due_at) LIMIT $2 FOR UPDATE SKIP LOCKED`,
      [now(), CLAIM_MAX],
    );
    for (const row of due) await elapseOne(options, tx, row);
    return due.length;
  });
}

async function elapseOne(options: TimerOptions, tx: Sql, row: TimerRow): Promise<void> {
  const { elapse, now, log } = options;
  const { tries, traceparent, ...found } = row;
  const timer: Timer = { ...found, dueAt: row.dueAt.toISOString() };
  const commandId = commandIdFrom('timer', row.stream, row.timerId, String(row.generation));
  try {
    const firing = { timer, tries, traceparent, now: now() };
    await inFiring(firing, () => elapse(timer, commandId));
    await markElapsed(options, tx, row, null);
  } catch (error) {
    log.warn({ err: error, timer, tries: tries + 1 }, 'a timer could not elapse');
    const { cause: reason } = failureColumns(error instanceof Error ? error.message : error);
    if (error instanceof DomainError) await markElapsed(options, tx, row, `refused: ${reason}`);
    else await markFailed(options, tx, row, reason);
  }
}

async function markElapsed(
  { now }: TimerOptions,
  tx: Sql,
  { stream, timerId }: TimerRow,
  refusal: string | null,
): Promise<void> {
  await tx.run(
    'UPDATE timers SET elapsed_at = $3, last_error = $4 WHERE stream = $1 AND timer_id = $2',
    [stream, timerId, now(), refusal],
  );
}

async function markFailed(
  { now }: TimerOptions,
  tx: Sql,
  { stream, timerId, tries }: TimerRow,
  reason: string,
): Promise<void> {
  const retryAt = new Date(now().getTime() + backoffMs(RETRY_BACKOFF, tries + 1));
  await tx.run(
    `UPDATE timers SET tries = tries + 1, retry_at = $3, last_error = $4
     WHERE stream = $1 AND timer_id = $2`,
    [stream, timerId, retryAt, reason],
  );
}

function timerFact(data: StoredEvent['data']): Omit<Timer, 'stream'> {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw new TypeError(`${TIMER_SCHEDULED}: must be an object`);
  }
  const fields = new Map(Object.entries(data));
  const generation = fields.get('generation');
  if (typeof generation !== 'number' || !Number.isInteger(generation) || generation < 0) {
    throw new TypeError(`${TIMER_SCHEDULED}.generation: must be a whole number of at least 0`);
  }
  const dueAt = textOf(fields, 'dueAt');
  if (parseInstant(dueAt) === null) {
    throw new TypeError(`${TIMER_SCHEDULED}.dueAt: must be an RFC 3339 instant`);
  }
  return {
    timerId: textOf(fields, 'timerId'),
    purpose: textOf(fields, 'purpose'),
    dueAt,
    generation,
  };
}

function textOf(fields: ReadonlyMap<string, unknown>, field: string): string {
  const value = fields.get(field);
  if (typeof value === 'string' && value !== '') return value;
  throw new TypeError(`${TIMER_SCHEDULED}.${field}: must be a text that is not empty`);
}
