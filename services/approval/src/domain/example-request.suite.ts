import type { Change } from './change.js';
import type { ApprovalRequestCommand, ApprovalRequestEvent } from './approval-request.js';
import type { Stage } from './stage.js';

/** A request as the specs of this service know it: two approvers for two patches on three rings. */
type CommandData<T extends ApprovalRequestCommand['type']> = Extract<
  ApprovalRequestCommand,
  { type: T }
>['data'];
type EventData<T extends ApprovalRequestEvent['type']> = Extract<
  ApprovalRequestEvent,
  { type: T }
>['data'];

export const at = '2026-11-21T09:00:00.000Z';
export const expiresAt = '2026-12-05T09:00:00.000Z';
export const changeDigest = `sha256:${'7f3a'.repeat(16)}`;
const ring = {
  selector: { attributes: { environment: 'staging' } },
  cap: { unit: 'endpoints', value: 2 },
  gate: { successPercentMin: 100, failuresMax: 0 },
  bakeMs: 1_000,
  deadlineMs: 60_000,
} as const;
export const change: Change = {
  patches: [
    {
      patchId: '0a4e3f2c-6d0a-4d6f-9a86-0d0a3c9d3b01',
      revision: 1,
      contentDigest: `sha256:${'11'.repeat(32)}`,
    },
    {
      patchId: '0a4e3f2c-6d0a-4d6f-9a86-0d0a3c9d3b02',
      revision: 3,
      contentDigest: `sha256:${'22'.repeat(32)}`,
    },
  ],
  scope: { attributes: { codename: 'bookworm' } },
  plan: {
    templateId: '5c0d6d52-53b1-4a43-8a5c-07c1a3e1c001',
    templateRevision: 0,
    name: 'Careful',
    rings: [
      { name: 'staging', ...ring },
      { name: 'pilot', ...ring, selector: { attributes: { 'labels.ring': 'pilot' } } },
      { name: 'broad', ...ring, selector: {} },
    ],
    leaseMs: 30_000,
    retry: { attemptsMax: 2, backoffMs: 1_000 },
    rollback: 'automatic',
  },
};

export const approvers = (quorum: number, name = 'approvers'): Stage => ({
  name,
  role: 'approver',
  quorum,
});

export const opening: CommandData<'OpenRequest'> = {
  requestedBy: 'pat',
  change,
  changeDigest,
  category: 'critical-security',
  dueAt: '2026-11-24T09:00:00.000Z',
  decisionIds: ['7d1b3c5e-0d2f-4c7b-8b1e-2f6a1c9d4e01'],
  endpointCount: 6,
  departments: ['Finance', 'Operations'],
  policy: {
    policyId: 'built-in',
    revision: 0,
    rule: 'two-approvers',
    reason: 'Critical security needs two approvers.',
    facts: { request: { category: 'critical-security' } },
  },
  stages: [approvers(2)],
  remark: 'November updates',
  expiresAt,
  timerId: '9b0a7c1d-5b8e-4c55-9d5e-6a3c0f8e7d01',
  at,
};

export const decision = (
  by: string,
  changes: Partial<CommandData<'RecordDecision'>> = {},
): CommandData<'RecordDecision'> => ({
  by,
  roles: ['approver'],
  departments: ['*'],
  verdict: 'approve',
  changeDigest,
  remark: 'checked',
  at,
  ...changes,
});

export const command = <T extends ApprovalRequestCommand['type']>(
  type: T,
  data: CommandData<T>,
) => ({ type, data });

export const requested = (
  changes: Partial<EventData<'ApprovalRequested'>> = {},
): readonly [ApprovalRequestEvent, ApprovalRequestEvent] => [
  { type: 'ApprovalRequested', data: { ...opening, ...changes } },
  scheduled,
];
export const scheduled: ApprovalRequestEvent = {
  type: 'TimerScheduled',
  data: { timerId: opening.timerId, dueAt: expiresAt, purpose: 'expire-request', generation: 1 },
};
export const recorded = (
  by: string,
  stage = 'approvers',
  changes: Partial<CommandData<'RecordDecision'>> = {},
): ApprovalRequestEvent => ({
  type: 'DecisionRecorded',
  data: { ...decision(by, changes), stage },
});
export const passed = (stage = 'approvers'): ApprovalRequestEvent => ({
  type: 'StagePassed',
  data: { stage, at },
});
export const granted = (
  grantedBy: 'people' | 'policy' = 'people',
  reason = opening.policy.reason,
): readonly ApprovalRequestEvent[] => [
  { type: 'RingsAuthorized', data: { change, changeDigest, uptoRing: 2, at } },
  { type: 'ApprovalGranted', data: { changeDigest, grantedBy, reason, at } },
];
export const rejected = (by: string): ApprovalRequestEvent => ({
  type: 'ApprovalRejected',
  data: { changeDigest, by, remark: 'checked', at },
});
