import { approval, type EventDefinition, toCloudEvent, assertData } from '@patchtrail/contracts';
import type { StoredEvent } from '@patchtrail/event-store';
import type { Outgoing } from '@patchtrail/messaging';
import type { ApprovalRequestEvent } from '../../domain/approval-request.js';
import { approvalRequestCodec } from './approval-request-codec.js';
import { idIn } from './streams.js';

/** What an event of a request says to others; `null` for what is nobody else's business. */
type Publication = Readonly<{ definition: EventDefinition; data: object }> | null;

/** What is published of a stored event; it keeps its id, so that a repetition is recognised. */
export function messagesOf(stored: StoredEvent): readonly Outgoing[] {
  const requestId = idIn(stored.stream);
  const publication = publicationOf(requestId, approvalRequestCodec.decode(stored));
  if (publication === null) return [];
  const { definition, data } = publication;
  const { metadata } = stored;
  const origin = {
    id: stored.id,
    subject: `approval-request/${requestId}`,
    key: requestId,
    sequence: stored.revision,
    time: metadata.occurredAt,
    recordedTime: stored.recordedAt,
    correlationId: metadata.$correlationId,
    causationId: metadata.$causationId,
    traceparent: metadata.traceparent,
    actor: metadata.actor,
  };
  const message = toCloudEvent(definition, origin, assertData(definition, data));
  return [{ topic: definition.topic, message }];
}

/** One case per event type: a new one must say here whether others hear of it. */
export function publicationOf(requestId: string, event: ApprovalRequestEvent): Publication {
  switch (event.type) {
    case 'ApprovalRequested':
      return { definition: approval.ApprovalRequested, data: requested(requestId, event.data) };
    case 'DecisionRecorded': {
      const { stage, by, verdict, remark, changeDigest } = event.data;
      const data = { requestId, stage, by, verdict, remark, changeDigest };
      return { definition: approval.DecisionRecorded, data };
    }
    case 'StagePassed': {
      const { stage } = event.data;
      return { definition: approval.StagePassed, data: { requestId, stage } };
    }
    case 'RingsAuthorized': {
      const { change, changeDigest, uptoRing } = event.data;
      const data = { requestId, change, changeDigest, uptoRing };
      return { definition: approval.RingsAuthorized, data };
    }
    case 'ApprovalGranted': {
      const { changeDigest, grantedBy, reason } = event.data;
      const data = { requestId, changeDigest, grantedBy, reason };
      return { definition: approval.ApprovalGranted, data };
    }
    case 'ApprovalRejected': {
      const { changeDigest, by, remark } = event.data;
      const data = { requestId, changeDigest, by, remark };
      return { definition: approval.ApprovalRejected, data };
    }
    case 'RequestWithdrawn': {
      const { by, reason } = event.data;
      return { definition: approval.RequestWithdrawn, data: { requestId, by, reason } };
    }
    case 'RequestExpired':
      return {
        definition: approval.RequestExpired,
        data: { requestId, expiredAt: event.data.at },
      };
    case 'TimerScheduled':
      return null;
  }
}

type Opening = Extract<ApprovalRequestEvent, { type: 'ApprovalRequested' }>['data'];

function requested(requestId: string, opening: Opening) {
  const { requestedBy, change, changeDigest, category, dueAt, endpointCount, stages } = opening;
  const { policyId, revision, rule } = opening.policy;
  return {
    requestId,
    requestedBy,
    change,
    changeDigest,
    category,
    dueAt,
    endpointCount,
    policy: { policyId, revision, rule },
    stages,
  };
}
