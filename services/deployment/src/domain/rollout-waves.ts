import { type Counters, gateInputsOf, sumCounters, sumInputs, zeroCounters } from './counters.js';
import { breachOf, isDrained, type Verdict, verdictOf } from './gate.js';
import { capOf, type Ring, sharesOf } from './plan.js';
import type { Failure, PartCount, PartRevision, RolloutEvent } from './rollout-messages.js';
import { type CreatedRollout, evolveCreated } from './rollout-state.js';
import { instantAfter, timerAt } from './timer.js';

type GateEvaluated = Extract<RolloutEvent, { type: 'GateEvaluated' }>;

/** Opens the next ring that is authorized, passing empty ones, or closes after the last. */
export function advance(rollout: CreatedRollout, at: string): readonly RolloutEvent[] {
  const ring = rollout.waves.findIndex(({ phase }) => phase !== 'passed');
  const plan = rollout.plan.rings[ring];
  if (plan === undefined) return [completed(rollout)];
  if (ring > rollout.uptoRing) return [];
  if (endpointCountOf(rollout, ring) > 0) return openWave(rollout, ring, plan, at);
  const passed: GateEvaluated = {
    type: 'GateEvaluated',
    data: {
      ring,
      name: plan.name,
      verdict: 'passed',
      inputs: gateInputsOf(zeroCounters),
      parts: [],
      reason: 'no endpoint in the ring',
    },
  };
  return [passed, ...advance(evolveCreated(rollout, passed), at)];
}

function endpointCountOf(rollout: CreatedRollout, ring: number): number {
  return rollout.cohort?.rings[ring]?.endpointCount ?? 0;
}

function openWave(
  rollout: CreatedRollout,
  ring: number,
  plan: Ring,
  at: string,
): readonly RolloutEvent[] {
  const cap = capOf(plan.cap, endpointCountOf(rollout, ring));
  const partCount = rollout.cohort?.rings[ring]?.parts.length ?? 0;
  const parts = sharesOf(cap, partCount).map((share, part) => ({ part, share }));
  const deadlineAt = instantAfter(at, plan.deadlineMs);
  const { epoch } = rollout;
  return [
    { type: 'WaveOpened', data: { ring, name: plan.name, cap, epoch, deadlineAt, parts } },
    timerAt(deadlineAt, 'wave-deadline', timerKey(rollout, ring)),
  ];
}

export function timerKey(rollout: CreatedRollout, ring: number): string {
  return `${rollout.rolloutId}:${ring}`;
}

function completed(rollout: CreatedRollout): RolloutEvent {
  const counts = sumInputs(rollout.waves.flatMap(({ inputs }) => inputs ?? []));
  const clean = counts.failed + counts.timedOut === 0;
  const outcome = clean ? 'completed' : 'completed-with-exceptions';
  return {
    type: 'RolloutClosed',
    data: { outcome, counts, by: 'plan', reason: 'every ring passed' },
  };
}

export type Assessment = Readonly<{
  ring: number;
  parts: readonly PartCount[];
  failures: readonly Failure[];
  ticketId: string;
  at: string;
}>;

/** What follows from the counters of a ring that is open, baking or at its gate. */
export function assessWave(rollout: CreatedRollout, data: Assessment): readonly RolloutEvent[] {
  const { ring, parts, at } = data;
  const plan = rollout.plan.rings[ring];
  const phase = undecidedPhase(rollout, ring);
  if (plan === undefined || phase === null) return [];
  const counters = sumCounters(parts.map((part) => part.counters));
  // A part that is not there may hold the failures: nothing is judged without it.
  if (counters.planned !== endpointCountOf(rollout, ring)) return [];
  const judge = (verdict: Verdict) => judged(rollout, data, plan, counters, verdict);
  const breach = breachOf(plan.gate, counters);
  if (breach !== null) return judge(breach);
  if (!isDrained(counters) || phase === 'baking') return [];
  const verdict = verdictOf(plan.gate, counters);
  if (phase === 'gating' || verdict.verdict === 'failed') return judge(verdict);
  return [
    {
      type: 'BakeStarted',
      data: { ring, inputs: gateInputsOf(counters), parts: revisionsOf(parts) },
    },
    timerAt(instantAfter(at, plan.bakeMs), 'bake', timerKey(rollout, ring)),
  ];
}

function undecidedPhase(rollout: CreatedRollout, ring: number) {
  const phase = rollout.waves[ring]?.phase;
  const isUndecided = phase === 'open' || phase === 'baking' || phase === 'gating';
  return rollout.status === 'running' && isUndecided ? phase : null;
}

function judged(
  rollout: CreatedRollout,
  { ring, parts, failures, ticketId, at }: Assessment,
  { name }: Ring,
  counters: Counters,
  { verdict, reason }: Verdict,
): readonly RolloutEvent[] {
  const inputs = gateInputsOf(counters);
  const evaluated: GateEvaluated = {
    type: 'GateEvaluated',
    data: { ring, name, verdict, inputs, parts: revisionsOf(parts), reason },
  };
  if (verdict === 'passed') return [evaluated, ...advance(evolveCreated(rollout, evaluated), at)];
  const epoch = rollout.epoch + 1;
  const summary = `Ring ${name} halted: ${reason}`;
  const cause = `gate of ring ${name}: ${reason}`;
  return [
    evaluated,
    { type: 'HaltRequested', data: { ring, origin: 'gate', cause, by: 'gate', epoch } },
    ticket(ticketId, summary, failures),
  ];
}

const TICKET_FAILURES_MAX = 100;
/** A ticket is one append with what it is raised for; whole reports are in the parts' streams. */
const TICKET_DETAIL_MAX = 500;

export function ticket(
  ticketId: string,
  summary: string,
  failures: readonly Failure[],
): RolloutEvent {
  return {
    type: 'FailureTicketRaised',
    data: {
      ticketId,
      severity: 'critical',
      summary,
      failures: failures.slice(0, TICKET_FAILURES_MAX).map((failure) => {
        // Not in the middle of a character of two halves.
        const detail = failure.detail.slice(0, TICKET_DETAIL_MAX).replace(/[\uD800-\uDBFF]$/, '');
        return { ...failure, detail };
      }),
    },
  };
}

export function revisionsOf(parts: readonly PartCount[]): PartRevision[] {
  return parts.map(({ part, revision }) => ({ part, revision }));
}
