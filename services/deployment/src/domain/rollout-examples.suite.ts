import { specFor } from '@patchtrail/event-sourcing';
import { type Counters, gateInputsOf, zeroCounters } from './counters.js';
import { AT, planOf, ring } from './examples.suite.js';
import type { PartCount, RolloutCommand, RolloutEvent } from './rollout-messages.js';
import { rollout } from './rollout.js';

export const given = specFor(rollout);
export const rings = [
  ring('pilot', { gate: { successPercentMin: 50, failuresMax: 1 } }),
  ring('empty'),
  ring('broad', { cap: { unit: 'percent', value: 1 } }),
];
export const creation = {
  ...{ rolloutId: 'r', requestId: 'q', changeDigest: 'd', plan: planOf(rings), patches: [] },
  ...{ scope: {}, uptoRing: 2 },
};
export const created: RolloutEvent = { type: 'RolloutCreated', data: creation };
export const cohort = {
  cohortDigest: 'c',
  rings: [
    { ring: 'pilot', endpointCount: 4, parts: [2, 2] },
    { ring: 'empty', endpointCount: 0, parts: [] },
    { ring: 'broad', endpointCount: 3, parts: [3] },
  ],
  excludedCount: 1,
};
export const frozen: RolloutEvent = { type: 'CohortFrozen', data: cohort };
export const IN_1_H = '2026-11-21T10:00:00.000Z';
export const timer = (timerId: string, dueAt: string, purpose: string): RolloutEvent => ({
  type: 'TimerScheduled',
  data: { timerId, dueAt, purpose, generation: 1 },
});
export const pilotOpen: RolloutEvent = {
  type: 'WaveOpened',
  data: {
    ...{ ring: 0, name: 'pilot', cap: 2, epoch: 1, deadlineAt: IN_1_H },
    parts: [0, 1].map((part) => ({ part, share: 1 })),
  },
};
export const opened = [pilotOpen, timer('wave-deadline:r:0', IN_1_H, 'wave-deadline')] as const;
export const running = [created, frozen, ...opened] as const;

export const part = (at: number, change: Partial<Counters>, ringAt = 0): PartCount => {
  return { ring: ringAt, part: at, revision: 9, counters: { ...zeroCounters, ...change } };
};
export const assess = (parts: PartCount[], ringAt = 0): RolloutCommand => ({
  type: 'AssessWave',
  data: { ring: ringAt, parts, failures: [], ticketId: 't', at: AT },
});
export const two = { planned: 2, verified: 2 };
export const revisions = [0, 1].map((at) => ({ part: at, revision: 9 }));
export const inputs = (change: Partial<Counters>) => gateInputsOf({ ...zeroCounters, ...change });
export const baking: RolloutEvent = {
  type: 'BakeStarted',
  data: { ring: 0, inputs: inputs({ planned: 4, verified: 4 }), parts: revisions },
};
export const gating: RolloutEvent = { type: 'BakeElapsed', data: { ring: 0 } };
export const passedPilot = (
  counters: Partial<Counters> = { planned: 4, verified: 4 },
  reason = '4 of 4 compliant >= successPercentMin 50',
): RolloutEvent => ({
  type: 'GateEvaluated',
  data: {
    ...{ ring: 0, name: 'pilot', verdict: 'passed', inputs: inputs(counters) },
    ...{ parts: revisions, reason },
  },
});
export const passedEmpty: RolloutEvent = {
  type: 'GateEvaluated',
  data: {
    ...{ ring: 1, name: 'empty', verdict: 'passed', inputs: inputs({}), parts: [] },
    reason: 'no endpoint in the ring',
  },
};
export const broadOpen: RolloutEvent = {
  type: 'WaveOpened',
  data: {
    ...{ ring: 2, name: 'broad', cap: 1, epoch: 1, deadlineAt: IN_1_H },
    parts: [{ part: 0, share: 1 }],
  },
};
export const failedGate = (counters: Partial<Counters>, reason: string): RolloutEvent => ({
  type: 'GateEvaluated',
  data: {
    ...{ ring: 0, name: 'pilot', verdict: 'failed', inputs: inputs(counters) },
    ...{ parts: revisions, reason },
  },
});
export const haltByGate = (reason: string): RolloutEvent => ({
  type: 'HaltRequested',
  data: { ring: 0, origin: 'gate', cause: `gate of ring pilot: ${reason}`, by: 'gate', epoch: 2 },
});
export const ticketOf = (summary: string): RolloutEvent => ({
  type: 'FailureTicketRaised',
  data: { ticketId: 't', severity: 'critical', summary, failures: [] },
});
export const haltByPat: RolloutEvent = {
  type: 'HaltRequested',
  data: { ring: 0, origin: 'operator', cause: 'odd', by: 'pat', epoch: 2 },
};
export const acknowledged: RolloutEvent = {
  type: 'HaltAcknowledged',
  data: { epoch: 2, recalledCount: 1 },
};
export const request = (by = 'pat') =>
  ({ type: 'RequestHalt', data: { by, reason: 'odd' } }) as const;
export const elapse = (timerId: string, generation = 1) =>
  ({ type: 'ElapseTimer', data: { timerId, generation } }) as const;
