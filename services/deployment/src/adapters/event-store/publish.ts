import {
  assertData,
  deployment,
  type EventDefinition,
  type EventOrigin,
  toCloudEvent,
} from '@patchtrail/contracts';
import { commandIdFrom, load, type StoredEvent } from '@patchtrail/event-store';
import type { MessagesOf, Outgoing } from '@patchtrail/messaging';
import type { Sql } from '@patchtrail/postgres';
import { causeOf } from '../../application/driver.js';
import { parsePartStream, rolloutStream } from '../../application/names.js';
import type { Streams } from '../../application/ports.js';
import type { RolloutEvent } from '../../domain/rollout-messages.js';
import type { CreatedRollout } from '../../domain/rollout-state.js';
import { rolloutCodec } from './rollout-codec.js';
import { wavePartCodec } from './wave-part-codec.js';
import { type PublishedOutcome, outcomesOf } from './published-outcomes.js';

type Publication = Readonly<{ definition: EventDefinition; data: object }> | null;

const OUTCOMES_PER_MESSAGE = 500;

/** What is published of a stored event. A repetition has the same ids, so consumers recognise it. */
export function messagesOf(db: Sql, streams: Streams): MessagesOf<StoredEvent> {
  return async (stored) => {
    const rolloutId = causeOf(stored)?.rolloutId;
    if (rolloutId === undefined) return [];
    const { state: rollout } = await load(streams.rollouts, rolloutStream(rolloutId));
    if (rollout.status === 'absent') throw new Error(`Rollout ${rolloutId} has no events.`);
    const name = parsePartStream(stored.stream);
    if (name === null) {
      const publication = publicationOf(rollout, rolloutCodec.decode(stored));
      if (publication === null) return [];
      return [outgoing(publication, originOf(stored, rolloutId, stored.id, stored.revision))];
    }
    const outcomes = outcomesOf(wavePartCodec.decode(stored));
    const ring = rollout.plan.rings[name.ring]?.name ?? '';
    const messages: Outgoing[] = [];
    for (let from = 0; from < outcomes.length; from += OUTCOMES_PER_MESSAGE) {
      const id = from === 0 ? stored.id : commandIdFrom('outcomes', stored.id, String(from));
      const origin = originOf(stored, rolloutId, id, await sequenceOf(db, id));
      const some = outcomes.slice(from, from + OUTCOMES_PER_MESSAGE);
      messages.push(outgoing(outcomesPublication(rollout, ring, some), origin));
    }
    return messages;
  };
}

function outcomesPublication(
  { rolloutId, patches }: CreatedRollout,
  ring: string,
  outcomes: readonly PublishedOutcome[],
) {
  const data = { rolloutId, ring, patches, outcomes };
  return { definition: deployment.OutcomesRecorded, data };
}

function outgoing({ definition, data }: NonNullable<Publication>, origin: EventOrigin): Outgoing {
  const message = toCloudEvent(definition, origin, assertData(definition, data));
  return { topic: definition.topic, message };
}

function originOf(
  { metadata, recordedAt }: StoredEvent,
  rolloutId: string,
  id: string,
  sequence: number | bigint,
): EventOrigin {
  return {
    id,
    subject: `rollout/${rolloutId}`,
    key: rolloutId,
    sequence,
    time: metadata.occurredAt,
    recordedTime: recordedAt,
    correlationId: metadata.$correlationId,
    causationId: metadata.$causationId,
    traceparent: metadata.traceparent,
    actor: metadata.actor,
  };
}

/** The parts of a rollout share a key but not a revision; the same message keeps its number. */
async function sequenceOf(db: Sql, messageId: string): Promise<bigint> {
  const [row] = await db.rows<{ number: string }>(
    `INSERT INTO published_outcomes (message_id) VALUES ($1)
     ON CONFLICT (message_id) DO UPDATE SET message_id = excluded.message_id
     RETURNING number::text`,
    [messageId],
  );
  if (row === undefined) throw new Error('The statement returned no row.');
  return BigInt(row.number);
}

/** What an event of a rollout says to others; `null` for what is nobody else's business. */
function publicationOf(rollout: CreatedRollout, event: RolloutEvent): Publication {
  const { rolloutId } = rollout;
  if (event.type === 'RolloutCreated') {
    const { requestId, changeDigest, patches, plan } = event.data;
    const rings = plan.rings.map(({ name }) => name);
    const data = { rolloutId, requestId, changeDigest, patches, rings };
    return { definition: deployment.RolloutCreated, data };
  }
  if (event.type === 'CohortFrozen') {
    const { cohortDigest, excludedCount } = event.data;
    const rings = event.data.rings.map(({ ring, endpointCount }) => ({ ring, endpointCount }));
    const data = { rolloutId, cohortDigest, rings, excludedCount };
    return { definition: deployment.CohortFrozen, data };
  }
  if (event.type === 'WaveOpened') {
    const { ring: order, name: ring, cap, epoch } = event.data;
    return { definition: deployment.WaveOpened, data: { rolloutId, ring, order, cap, epoch } };
  }
  if (event.type === 'GateEvaluated') {
    const { name: ring, verdict, inputs, reason } = event.data;
    const data = { rolloutId, ring, verdict, inputs, reason };
    return { definition: deployment.GateEvaluated, data };
  }
  return endingOf(rollout, event);
}

function endingOf({ rolloutId, plan }: CreatedRollout, event: RolloutEvent): Publication {
  if (event.type === 'HaltRequested') {
    const { cause, by, epoch } = event.data;
    const ring = plan.rings[event.data.ring ?? -1]?.name ?? null;
    return { definition: deployment.HaltRequested, data: { rolloutId, ring, cause, by, epoch } };
  }
  if (event.type === 'HaltAcknowledged') {
    return { definition: deployment.HaltAcknowledged, data: { rolloutId, ...event.data } };
  }
  if (event.type === 'RollbackStarted') {
    const { by, endpointCount } = event.data;
    return { definition: deployment.RollbackStarted, data: { rolloutId, by, endpointCount } };
  }
  if (event.type === 'FailureTicketRaised') {
    return { definition: deployment.FailureTicketRaised, data: { rolloutId, ...event.data } };
  }
  if (event.type === 'RolloutClosed') {
    const { outcome, counts } = event.data;
    return { definition: deployment.RolloutClosed, data: { rolloutId, outcome, counts } };
  }
  return null;
}
