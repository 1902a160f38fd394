import { commandIdFrom, type CommandContext, handle } from '@patchtrail/event-store';
import type { PolicyContent } from '../domain/approval-policy.js';
import { checkConditions } from './evaluate-policy.js';
import { policyStreamOf, type PolicyStream } from './ports.js';

/** The policy's id follows from the command's; every condition is compiled first. @throws DomainError */
export async function proposePolicy(
  policies: PolicyStream,
  content: PolicyContent,
  context: CommandContext,
) {
  checkConditions(content.rules);
  const policyId = commandIdFrom('approval-policy', context.commandId);
  const data = { ...content, by: context.actor, at: context.at };
  const name = policyStreamOf(policyId);
  const outcome = await handle(policies, name, { type: 'ProposePolicy', data }, context);
  return { policyId, outcome };
}

/** From then on it decides about new requests, and no other does. @throws DomainError, WrongExpectedRevision */
export async function activatePolicy(
  policies: PolicyStream,
  policyId: string,
  context: CommandContext,
  expected: number | undefined,
) {
  const data = { by: context.actor, at: context.at };
  const name = policyStreamOf(policyId);
  const options = expected === undefined ? {} : { expected };
  return handle(policies, name, { type: 'ActivatePolicy', data }, context, options);
}
