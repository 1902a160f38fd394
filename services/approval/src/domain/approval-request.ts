import { type Decider, DomainError, type Message } from '@patchtrail/event-sourcing';
import type { Category, Change } from './change.js';
import { type Stage, stageFault } from './stage.js';

/** The rule that decided who has to agree, and what it was given to decide on. */
export type Ruling = Readonly<{
  policyId: string;
  revision: number;
  rule: string;
  reason: string;
  /** The facts the rule was evaluated on; with the policy's revision they give the same answer again. */
  facts: Readonly<Record<string, unknown>>;
}>;

type Opening = Readonly<{
  requestedBy: string;
  change: Change;
  changeDigest: string;
  category: Category;
  /** When the first patch must be remediated; `null` where no deadline binds. */
  dueAt: string | null;
  /** Priority decisions that gave category and due date. */
  decisionIds: readonly string[];
  /** Endpoints in scope that miss a patch of it when the request is opened. */
  endpointCount: number;
  /** Their departments; an approver must be responsible for all of them. */
  departments: readonly string[];
  policy: Ruling;
  stages: readonly Stage[];
  remark: string;
  expiresAt: string;
  timerId: string;
  at: string;
}>;

export type Verdict = 'approve' | 'reject';
type Decision = Readonly<{
  by: string;
  roles: readonly string[];
  /** `*`: every department. */
  departments: readonly string[];
  verdict: Verdict;
  changeDigest: string;
  remark: string;
  at: string;
}>;
type Withdrawal = Readonly<{ by: string; reason: string; at: string }>;
type Timer = Readonly<{ timerId: string; dueAt: string; purpose: string; generation: number }>;

export type ApprovalRequestCommand =
  | Message<'OpenRequest', Opening>
  | Message<'RecordDecision', Decision>
  | Message<'WithdrawRequest', Withdrawal>
  | Message<'ExpireRequest', { timerId: string; generation: number; at: string }>;

export type ApprovalRequestEvent =
  | Message<'ApprovalRequested', Opening>
  | Message<'TimerScheduled', Timer>
  | Message<'DecisionRecorded', Decision & { stage: string }>
  | Message<'StagePassed', { stage: string; at: string }>
  | Message<
      'RingsAuthorized',
      { change: Change; changeDigest: string; uptoRing: number; at: string }
    >
  | Message<
      'ApprovalGranted',
      { changeDigest: string; grantedBy: 'people' | 'policy'; reason: string; at: string }
    >
  | Message<'ApprovalRejected', { changeDigest: string; by: string; remark: string; at: string }>
  | Message<'RequestWithdrawn', Withdrawal>
  | Message<'RequestExpired', { at: string }>;

export type Vote = Readonly<{
  by: string;
  stage: string;
  verdict: Verdict;
  remark: string;
  at: string;
}>;
type Status = 'open' | 'granted' | 'rejected' | 'withdrawn' | 'expired';

export type ApprovalRequest =
  | Readonly<{ status: 'absent' }>
  | Readonly<{
      status: Status;
      opening: Opening;
      votes: readonly Vote[];
      /** Names of the stages passed, in their order; the next one is open. */
      passed: readonly string[];
      /** Rings that may open; 0 until the grant. */
      ringsAuthorized: number;
      timer: Timer | null;
      closedAt: string | null;
    }>;
type Open = Exclude<ApprovalRequest, { status: 'absent' }>;

const TIMER_PURPOSE = 'expire-request';

function decide(
  { type, data }: ApprovalRequestCommand,
  state: ApprovalRequest,
): readonly ApprovalRequestEvent[] {
  switch (type) {
    case 'OpenRequest':
      return open(data, state);
    case 'RecordDecision':
      return record(data, awaiting(state, data.at));
    case 'WithdrawRequest': {
      const { opening } = awaiting(state, data.at);
      if (data.by !== opening.requestedBy) {
        throw new DomainError('not-eligible', 'by: only the requester may withdraw a request');
      }
      return [{ type: 'RequestWithdrawn', data }];
    }
    case 'ExpireRequest': {
      if (state.status !== 'open' || state.timer === null) return [];
      const { timerId, generation } = state.timer;
      if (data.timerId !== timerId || data.generation !== generation) return [];
      return [{ type: 'RequestExpired', data: { at: data.at } }];
    }
  }
}

function open(opening: Opening, state: ApprovalRequest): readonly ApprovalRequestEvent[] {
  if (state.status !== 'absent') throw new DomainError('already-requested');
  checkOpening(opening);
  const { stages, policy, timerId, expiresAt } = opening;
  const requested = { type: 'ApprovalRequested', data: opening } as const;
  if (stages.length === 0) {
    return [requested, ...grant(opening, 'policy', policy.reason, opening.at)];
  }
  const timer = { timerId, dueAt: expiresAt, purpose: TIMER_PURPOSE, generation: 1 };
  return [requested, { type: 'TimerScheduled', data: timer }];
}

function checkOpening({ change, endpointCount, stages, expiresAt, at }: Opening): void {
  const fault = stageFault(stages, 'stages');
  if (fault !== null) throw new DomainError('invalid-stages', fault);
  if (change.plan.rings.length === 0) {
    throw new DomainError('invalid-plan', 'plan.rings: must not be empty');
  }
  if (endpointCount < 1) {
    throw new DomainError('nothing-to-patch', 'scope: no endpoint of it misses any of the patches');
  }
  const ids = change.patches.map(({ patchId }) => patchId);
  if (ids.length === 0 || new Set(ids).size !== ids.length) {
    throw new DomainError('invalid-patches', 'patches: must be one or more, each once');
  }
  if (Date.parse(expiresAt) <= Date.parse(at)) {
    throw new DomainError('invalid-expiry', 'expiresAt: must be later than the request');
  }
}

/** The request, if it still waits for people. */
function awaiting(state: ApprovalRequest, at: string): Open {
  switch (state.status) {
    case 'absent':
      throw new DomainError('not-requested');
    case 'granted':
    case 'rejected':
      throw new DomainError('already-decided', `The request is ${state.status}.`);
    case 'withdrawn':
      throw new DomainError('request-withdrawn');
    case 'expired':
      throw new DomainError('request-expired');
    case 'open':
      // The timer may fire late, and a vote must not slip through before it does.
      if (Date.parse(at) >= Date.parse(state.opening.expiresAt)) {
        throw new DomainError('request-expired');
      }
      return state;
  }
}

function record(decision: Decision, state: Open): readonly ApprovalRequestEvent[] {
  const stage = openStage(state);
  checkVoter(decision, state, stage);
  const { by, remark, changeDigest, at } = decision;
  const recorded = { type: 'DecisionRecorded', data: { ...decision, stage: stage.name } } as const;
  if (decision.verdict === 'reject') {
    return [recorded, { type: 'ApprovalRejected', data: { changeDigest, by, remark, at } }];
  }
  const approvals = state.votes.filter((vote) => vote.stage === stage.name).length + 1;
  if (approvals < stage.quorum) return [recorded];
  const passed = { type: 'StagePassed', data: { stage: stage.name, at } } as const;
  const isLast = state.passed.length + 1 === state.opening.stages.length;
  if (!isLast) return [recorded, passed];
  return [recorded, passed, ...grant(state.opening, 'people', state.opening.policy.reason, at)];
}

function checkVoter(decision: Decision, { opening, votes }: Open, stage: Stage): void {
  const { by, roles, departments, changeDigest } = decision;
  if (by === opening.requestedBy) {
    throw new DomainError('self-approval', 'by: the requester may not decide on the request');
  }
  if (changeDigest !== opening.changeDigest) {
    throw new DomainError('digest-mismatch', 'changeDigest: is not the digest of the change');
  }
  // One person, one vote over all stages: a later stage needs other people.
  if (votes.some((vote) => vote.by === by)) {
    throw new DomainError('already-voted', 'by: has decided on the request before');
  }
  if (!roles.includes(stage.role)) {
    throw new DomainError('not-eligible', `roles: stage ${stage.name} asks for ${stage.role}`);
  }
  if (departments.includes('*')) return;
  const outside = opening.departments.find((department) => !departments.includes(department));
  if (outside !== undefined) {
    throw new DomainError('not-in-scope', `departments: must include ${outside}`);
  }
}

function grant(
  { change, changeDigest }: Opening,
  grantedBy: 'people' | 'policy',
  reason: string,
  at: string,
): readonly ApprovalRequestEvent[] {
  const uptoRing = change.plan.rings.length - 1;
  return [
    { type: 'RingsAuthorized', data: { change, changeDigest, uptoRing, at } },
    { type: 'ApprovalGranted', data: { changeDigest, grantedBy, reason, at } },
  ];
}

/** The stage that votes count for: the first that has not passed. */
function openStage({ opening, passed }: Open): Stage {
  const stage = opening.stages[passed.length];
  if (stage === undefined) throw new Error('Corrupt stream: every stage passed, and it is open.');
  return stage;
}

function evolve(state: ApprovalRequest, event: ApprovalRequestEvent): ApprovalRequest {
  if (event.type === 'ApprovalRequested') return opened(event.data);
  if (state.status === 'absent') throw new Error(`Corrupt stream: it opens with ${event.type}.`);
  return applied(state, event);
}

function applied(
  state: Open,
  { type, data }: Exclude<ApprovalRequestEvent, { type: 'ApprovalRequested' }>,
): Open {
  switch (type) {
    case 'TimerScheduled':
      return { ...state, timer: data };
    case 'DecisionRecorded': {
      const { by, stage, verdict, remark, at } = data;
      return { ...state, votes: [...state.votes, { by, stage, verdict, remark, at }] };
    }
    case 'StagePassed':
      return { ...state, passed: [...state.passed, data.stage] };
    case 'RingsAuthorized':
      return { ...state, ringsAuthorized: data.uptoRing + 1 };
    case 'ApprovalGranted':
      return { ...state, status: 'granted', closedAt: data.at };
    case 'ApprovalRejected':
      return { ...state, status: 'rejected', closedAt: data.at };
    case 'RequestWithdrawn':
      return { ...state, status: 'withdrawn', closedAt: data.at };
    case 'RequestExpired':
      return { ...state, status: 'expired', closedAt: data.at };
  }
}

function opened(opening: Opening): ApprovalRequest {
  return {
    status: 'open',
    opening,
    votes: [],
    passed: [],
    ringsAuthorized: 0,
    timer: null,
    closedAt: null,
  };
}

export const approvalRequest: Decider<
  ApprovalRequest,
  ApprovalRequestCommand,
  ApprovalRequestEvent
> = { initial: { status: 'absent' }, decide, evolve };
