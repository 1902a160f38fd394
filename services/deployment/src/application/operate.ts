import { type CommandContext, handle, load } from '@patchtrail/event-store';
import { DomainError } from '@patchtrail/event-sourcing';
import type { RolloutCommand } from '../domain/rollout-messages.js';
import { rolloutStream } from './names.js';
import { partCountsOf, partNamesOf, readParts } from './part-counts.js';
import type { Streams } from './ports.js';

/** A revision that the operator has seen, or `*` for whatever it is now. */
export type Precondition = number | '*';

export type Operation = Readonly<{
  rolloutId: string;
  reason: string;
  precondition: Precondition;
}>;

/** @throws DomainError `unknown-rollout`, `rollout-closed`; WrongExpectedRevision */
export async function haltRollout(streams: Streams, operation: Operation, context: CommandContext) {
  const data = { by: context.actor, reason: operation.reason };
  return tell(streams, operation, { type: 'RequestHalt', data }, context);
}

/** @throws DomainError `unknown-rollout`, `rollout-closed`, `not-halted`; WrongExpectedRevision */
export async function requestRollback(
  streams: Streams,
  operation: Operation,
  context: CommandContext,
) {
  const data = { by: context.actor, reason: operation.reason };
  return tell(streams, operation, { type: 'RequestRollback', data }, context);
}

/**
 * @throws DomainError `unknown-rollout`, `rollout-closed`, `not-halted`, `rollback-requested`,
 * `still-in-flight`; WrongExpectedRevision
 */
export async function cancelRollout(
  streams: Streams,
  operation: Operation,
  context: CommandContext,
) {
  const { state } = await load(streams.rollouts, rolloutStream(operation.rolloutId));
  if (state.status === 'absent') throw new DomainError('unknown-rollout');
  const parts = partCountsOf(await readParts(streams, partNamesOf(state)));
  const data = { by: context.actor, reason: operation.reason, parts };
  return tell(streams, operation, { type: 'CancelRollout', data }, context);
}

async function tell(
  { rollouts }: Streams,
  { rolloutId, precondition }: Operation,
  command: RolloutCommand,
  context: CommandContext,
) {
  const options = precondition === '*' ? {} : { expected: precondition };
  return handle(rollouts, rolloutStream(rolloutId), command, context, options);
}

export type Operate = typeof haltRollout;
