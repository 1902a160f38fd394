import type { Counters } from './counters.js';
import type { Gate } from './plan.js';

export type Verdict = Readonly<{ verdict: 'passed' | 'failed'; reason: string }>;

/** A breach of the failure limit, which halts at any time, or `null`. */
export function breachOf(gate: Gate, counters: Counters): Verdict | null {
  const failures = counters.failed + counters.timedOut;
  if (failures <= gate.failuresMax) return null;
  const numbers = `${counters.failed} failed + ${counters.timedOut} timed out`;
  return { verdict: 'failed', reason: `${numbers} > failuresMax ${gate.failuresMax}` };
}

/** The verdict over a ring without a breach, in which every endpoint has reached its end state. */
export function verdictOf(gate: Gate, counters: Counters): Verdict {
  const good = counters.verified + counters.alreadyCompliant;
  const enough = good * 100 >= gate.successPercentMin * counters.planned;
  const numbers = `${good} of ${counters.planned} compliant`;
  return enough
    ? { verdict: 'passed', reason: `${numbers} >= successPercentMin ${gate.successPercentMin}` }
    : { verdict: 'failed', reason: `${numbers} < successPercentMin ${gate.successPercentMin}` };
}

export function isDrained(counters: Counters): boolean {
  const ended =
    counters.verified +
    counters.alreadyCompliant +
    counters.failed +
    counters.timedOut +
    counters.cancelled;
  return ended === counters.planned;
}
