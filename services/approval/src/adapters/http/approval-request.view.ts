import type { ApprovalRequest } from '../../domain/approval-request.js';

type Known = Exclude<ApprovalRequest, { status: 'absent' }>;

/** A request as people see it. */
export function requestView(requestId: string, revision: number, state: Known) {
  const { opening } = state;
  const { change, policy } = opening;
  return {
    requestId,
    revision,
    status: state.status,
    requestedBy: opening.requestedBy,
    requestedAt: opening.at,
    expiresAt: opening.expiresAt,
    closedAt: state.closedAt,
    change,
    changeDigest: opening.changeDigest,
    category: opening.category,
    dueAt: opening.dueAt,
    decisionIds: opening.decisionIds,
    endpointCount: opening.endpointCount,
    departments: opening.departments,
    policy,
    stages: opening.stages.map((stage, index) => ({
      ...stage,
      status: stageStatus(state, index),
      approvals: state.votes.filter(
        (vote) => vote.stage === stage.name && vote.verdict === 'approve',
      ).length,
    })),
    votes: state.votes,
    ringsAuthorized: state.ringsAuthorized,
    remark: opening.remark,
  };
}

function stageStatus({ status, passed }: Known, index: number): string {
  if (index < passed.length) return 'passed';
  if (status !== 'open') return 'ended';
  return index === passed.length ? 'open' : 'waiting';
}
