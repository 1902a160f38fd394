import { type approval, type DataOf, digestOf } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import { type CommandContext, handle } from '@patchtrail/event-store';
import { rolloutIdOf, rolloutStream } from './names.js';
import type { Streams } from './ports.js';

/**
 * Creates or widens the rollout of an approved request.
 * @throws DomainError `digest-mismatch` when the change is not the one that was voted on
 */
export async function authorizeRings(
  { rollouts }: Pick<Streams, 'rollouts'>,
  authorized: DataOf<typeof approval.RingsAuthorized>,
  context: CommandContext,
): Promise<string> {
  const { requestId, change, changeDigest, uptoRing } = authorized;
  const digest = digestOf(change);
  if (digest !== changeDigest) {
    throw new DomainError('digest-mismatch', `changeDigest: the change has the digest ${digest}`);
  }
  const rolloutId = rolloutIdOf(requestId);
  const { at } = context;
  const data = { rolloutId, requestId, changeDigest, ...change, uptoRing, at };
  await handle(rollouts, rolloutStream(rolloutId), { type: 'AuthorizeRings', data }, context);
  return rolloutId;
}
