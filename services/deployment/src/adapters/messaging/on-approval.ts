import { approval, type CloudEvent, CONSUMERS, isEvent } from '@patchtrail/contracts';
import { commandIdFrom } from '@patchtrail/event-store';
import type { Sql } from '@patchtrail/postgres';
import { authorizeRings } from '../../application/authorize-rings.js';
import type { Streams } from '../../application/ports.js';

export const { group: APPROVAL_GROUP } = CONSUMERS.deploymentRequests;

/** The effect is an append, so a repeated message is known by the command id derived from it. */
export function onApproval(streams: Streams, now: () => Date) {
  return async (_tx: Sql, message: CloudEvent): Promise<void> => {
    if (!isEvent(approval.RingsAuthorized, message)) return;
    await authorizeRings(streams, message.data, {
      commandId: commandIdFrom(message.source, message.id, 'authorize-rings'),
      correlationId: message.correlationid,
      causationId: message.id,
      actor: message.authid,
      at: now().toISOString(),
      traceparent: message.traceparent,
    });
  };
}
