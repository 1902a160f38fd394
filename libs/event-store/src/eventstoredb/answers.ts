import { ErrorType, isCommandError } from '@eventstore/db-client';
import { EventStoreUnavailable } from '../event-store.js';
import { backoffMs, pause } from '../pause.js';
import type { LeaderClient } from './leader-client.js';

/** How long and how often the server is asked. */
export type Limits = Readonly<{
  /** For one answer. */
  answerMs: number;
  /** For an answer with all repetitions. */
  totalMs: number;
  triesMax: number;
  /** A subscription that withholds an event for longer is over. */
  silenceMs: number;
}>;

/** An election takes a few seconds: the total outlasts it. */
export const LIMITS: Limits = {
  answerMs: 5_000,
  totalMs: 30_000,
  triesMax: 15,
  silenceMs: 5_000,
};

/** The server as one store sees it, until that store is closed. */
export type Server = Readonly<{ client: LeaderClient; limits: Limits; closing: AbortSignal }>;

const BACKOFF = { firstMs: 25, maxMs: 4_000 };

/** Types of the client's errors that another try would meet again. */
const LASTING_TYPES: readonly string[] = [
  ErrorType.WRONG_EXPECTED_VERSION,
  ErrorType.MAXIMUM_APPEND_SIZE_EXCEEDED,
  ErrorType.ACCESS_DENIED,
  ErrorType.STREAM_DELETED,
  ErrorType.STREAM_NOT_FOUND,
  ErrorType.INVALID_ARGUMENT,
  ErrorType.UNSUPPORTED,
  ErrorType.MISSING_REQUIRED_METADATA_PROPERTY,
];
/** Invalid argument, exists, denied, precondition, range, unimplemented, unauthenticated. */
const LASTING_CODES: readonly unknown[] = [3, 6, 7, 9, 11, 12, 16];

/** The server did not answer within the limits. Whether it did what it was asked is unknown. */
export class NoAnswer extends EventStoreUnavailable {
  constructor(what: string, tries: number, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`EventStoreDB: ${what}: no answer after ${tries} tries: ${reason}`, { cause });
    this.name = 'NoAnswer';
  }
}

/** One answer that did not come in time. */
export class Late extends Error {
  constructor(ms: number) {
    super(`nothing within ${ms} ms`);
    this.name = 'Late';
  }
}

/** Whether trying again may help: the server was away, not the leader, or too slow. */
export function mayPass(error: unknown): boolean {
  if (error instanceof Late || error instanceof NoAnswer) return true;
  if (!(error instanceof Error)) return false;
  if (isCommandError(error) && LASTING_TYPES.includes(error.type)) return false;
  const code = 'code' in error ? error.code : undefined;
  if (LASTING_CODES.includes(code)) return false;
  return isCommandError(error) || typeof code === 'number' || isDiscovery(error);
}

/** The client tells the end of its search for a node by words only. */
function isDiscovery({ message }: Error): boolean {
  return message.startsWith('Failed to discover');
}

/**
 * Asks until there is an answer. The client changes to another node when one is not the leader or
 * is gone, but leaves it to its caller to ask again; and it waits for some answers for ever.
 * `ask` must be something that may be repeated.
 * @throws NoAnswer; errors that last
 */
export async function answerTo<T>(
  { limits, closing }: Server,
  what: string,
  ask: (deadlineMs: number) => Promise<T>,
): Promise<T> {
  const end = Date.now() + limits.totalMs;
  for (let tries = 1; ; tries += 1) {
    if (closing.aborted) throw new Error('The event store is closed.');
    const deadlineMs = Math.max(1, Math.min(limits.answerMs, end - Date.now()));
    try {
      return await within(deadlineMs, ask(deadlineMs));
    } catch (error) {
      if (!mayPass(error)) throw error;
      const waitMs = backoffMs(BACKOFF, tries);
      if (tries === limits.triesMax || Date.now() + waitMs >= end) {
        throw new NoAnswer(what, tries, error);
      }
      await pause(waitMs, closing);
    }
  }
}

/** Rejects when the answer is late, and then takes no notice of it any more. */
async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late(ms)), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
