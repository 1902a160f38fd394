import { type CommandContext, handle, type Handled } from '@patchtrail/event-store';
import type {
  ApprovalRequest,
  ApprovalRequestCommand,
  ApprovalRequestEvent,
  Verdict,
} from '../domain/approval-request.js';
import { requestStreamOf, type RequestStream } from './ports.js';

export type Voter = Readonly<{
  id: string;
  roles: readonly string[];
  departments: readonly string[];
}>;
export type Vote = Readonly<{ verdict: Verdict; changeDigest: string; remark: string }>;
type Outcome = Promise<Handled<ApprovalRequest, ApprovalRequestEvent>>;
/** `undefined`: whatever the revision is by now. */
type Expected = number | undefined;

/** @throws DomainError, WrongExpectedRevision */
export function recordDecision(
  requests: RequestStream,
  requestId: string,
  { id: by, roles, departments }: Voter,
  vote: Vote,
  context: CommandContext,
  expected: Expected,
): Outcome {
  const data = { by, roles, departments, ...vote, at: context.at };
  return command(requests, requestId, { type: 'RecordDecision', data }, context, expected);
}

/** @throws DomainError, WrongExpectedRevision */
export function withdrawRequest(
  requests: RequestStream,
  requestId: string,
  reason: string,
  context: CommandContext,
  expected: Expected,
): Outcome {
  const data = { by: context.actor, reason, at: context.at };
  return command(requests, requestId, { type: 'WithdrawRequest', data }, context, expected);
}

/** Ends a request whose time is up; does nothing where it has ended, or for a stale timer. */
export function expireRequest(
  requests: RequestStream,
  stream: string,
  timer: Readonly<{ timerId: string; generation: number }>,
  context: CommandContext,
): Outcome {
  const data = { timerId: timer.timerId, generation: timer.generation, at: context.at };
  return handle(requests, stream, { type: 'ExpireRequest', data }, context);
}

function command(
  requests: RequestStream,
  requestId: string,
  message: ApprovalRequestCommand,
  context: CommandContext,
  expected: Expected,
): Outcome {
  const options = expected === undefined ? {} : { expected };
  return handle(requests, requestStreamOf(requestId), message, context, options);
}
