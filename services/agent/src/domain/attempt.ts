import type { FailureClass } from './failure.js';
import type { Lease } from './lease.js';
import type { Transaction, VersionChange } from './transaction.js';

/** What the agent reports at the end of an attempt. */
export type Outcome = Readonly<{
  outcome: 'verified' | 'already-compliant' | 'failed' | 'rolled-back' | 'rollback-failed';
  /** Empty on success. */
  class: FailureClass | '';
  transient: boolean;
  detail: string;
  versions: readonly VersionChange[];
  deviceTime: string;
}>;

/** A line of the journal; `at` is the endpoint's clock. */
export type JournalEntry = Readonly<
  | { type: 'received'; at: string; attemptId: string; lease: Lease }
  | { type: 'simulated'; at: string; attemptId: string; transaction: Transaction }
  | { type: 'confirmed'; at: string; attemptId: string }
  | { type: 'dropped'; at: string; attemptId: string; reason: string }
  | { type: 'started'; at: string; attemptId: string }
  | { type: 'finished'; at: string; attemptId: string; outcome: Outcome }
  | { type: 'reported'; at: string; attemptId: string; refusal: string | null }
>;

export type Attempt = Readonly<{
  lease: Lease;
  state: 'received' | 'simulated' | 'confirmed' | 'dropped' | 'started' | 'finished' | 'reported';
  transaction: Transaction | null;
  /** Whether the server was told once that this one starts, and so waits for its outcome. */
  confirmed: boolean;
  /** Whether the package system may have been run. */
  started: boolean;
  outcome: Outcome | null;
}>;

/** Attempts by id, oldest first. */
export type Attempts = ReadonlyMap<string, Attempt>;

function advance(attempt: Attempt, entry: Exclude<JournalEntry, { type: 'received' }>): Attempt {
  switch (entry.type) {
    case 'simulated':
      return { ...attempt, state: 'simulated', transaction: entry.transaction };
    case 'confirmed':
      return { ...attempt, state: 'confirmed', confirmed: true };
    case 'dropped':
      return { ...attempt, state: 'dropped' };
    case 'started':
      return { ...attempt, state: 'started', started: true };
    case 'finished':
      return { ...attempt, state: 'finished', outcome: entry.outcome };
    case 'reported':
      return { ...attempt, state: 'reported' };
  }
}

/** The journal with one more line; a line that no code writes in that place is an error. */
export function withEntry(attempts: Attempts, entry: JournalEntry): Attempts {
  const attempt = attempts.get(entry.attemptId);
  const next = new Map(attempts);
  if (entry.type === 'received') {
    if (attempt?.started === true) throw new Error(`${entry.attemptId} was started before.`);
    next.set(entry.attemptId, {
      lease: entry.lease,
      state: 'received',
      transaction: null,
      confirmed: false,
      started: false,
      outcome: null,
    });
    return next;
  }
  if (attempt === undefined) throw new Error(`${entry.attemptId} was never received.`);
  if (entry.type === 'started' && attempt.started) {
    throw new Error(`${entry.attemptId} was started before.`);
  }
  next.set(entry.attemptId, advance(attempt, entry));
  return next;
}

/** The attempt that has no end yet. There is at most one. */
export function openAttempt(attempts: Attempts): Attempt | null {
  for (const attempt of attempts.values()) {
    if (attempt.state !== 'reported' && attempt.state !== 'dropped') return attempt;
  }
  return null;
}
