import { DomainError } from '@patchtrail/event-sourcing';
import type { Sql } from '@patchtrail/postgres';
import type { EventStore, StoredEvent } from '../event-store.js';
import { backoffMs, pause } from '../pause.js';
import { park, recordRefusal } from './parked-events.js';
import type { Progress } from './progress.js';
import type { ReactionOptions } from './reaction-options.js';

const TRIES_MAX = 10;
const RETRY_MS = 20;
const RETRY_MS_MAX = 5_000;

/** Why it was not acted on. */
type Failure = Readonly<{ error: Error; tries: number }>;
/** What an event came to; `null` once it has been acted on. */
export type Outcome = Failure | null;

/** Otherwise it was acted on, or refused by the domain. */
export function isParking(outcome: Outcome): boolean {
  return outcome !== null && !(outcome.error instanceof DomainError);
}

export function resultOf(failure: Outcome): string {
  if (failure === null) return 'acted';
  return isParking(failure) ? 'parked' : 'refused';
}

/** Beside the checkpoint that moves past it. */
export async function recordFailure(
  tx: Sql,
  options: ReactionOptions,
  event: StoredEvent,
  { error, tries }: NonNullable<Outcome>,
): Promise<boolean> {
  if (error instanceof DomainError) {
    await recordRefusal(tx, options.name, event, error);
    return true;
  }
  await park(tx, options.name, event, error, tries);
  options.log.error(about(options, event, error), 'an event is parked');
  return true;
}

/** Tries until it is clear. The reader may be stopped between two tries: it rejects. */
export async function outcomeOf(
  options: ReactionOptions,
  progress: Progress,
  event: StoredEvent,
): Promise<Outcome> {
  const { react, signal, log, retryMsMax: maxMs = RETRY_MS_MAX } = options;
  const isToBeParked = createJudge(options);
  for (let attempt = 1; ; attempt += 1) {
    try {
      await react(event);
      return null;
    } catch (error) {
      const fields = { ...about(options, event, error), attempt };
      if (error instanceof DomainError) {
        log.warn(fields, 'an event was refused by the domain');
        return { error, tries: attempt };
      }
      progress.fail(error);
      log.warn(fields, 'reacting to an event failed');
      if (await isToBeParked(error, attempt)) return { error: asError(error), tries: attempt };
    }
    await pause(backoffMs({ firstMs: RETRY_MS, maxMs }, attempt), signal);
    if (signal.aborted) throw new Error('Stopped before the next try.');
  }
}

function about({ name }: ReactionOptions, { stream, revision, type }: StoredEvent, err: unknown) {
  return { err, reader: name, stream, revision, type };
}

/**
 * Of the failures of one event. What fails in an outage need not be the event's fault, and the
 * outage may end with the try that it broke: all must have been there before that try too.
 */
function createJudge({ store, db, judge }: ReactionOptions) {
  let wereThere = false;
  return async (error: unknown, attempt: number): Promise<boolean> => {
    const judgement = judge?.(error) ?? 'unclear';
    if (judgement !== 'unclear') return judgement === 'hopeless';
    if (attempt < TRIES_MAX - 1) return false;
    const wereThereBefore = wereThere;
    wereThere = await areThere(store, db);
    return wereThereBefore && wereThere;
  };
}

async function areThere(store: EventStore, db: Sql): Promise<boolean> {
  try {
    await Promise.all([store.head(), db.rows('SELECT 1')]);
    return true;
  } catch {
    return false;
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
