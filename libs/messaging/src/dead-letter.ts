import {
  assertCloudEvent,
  type CloudEvent,
  ContractViolation,
  DEAD_LETTER_PARTITIONS,
  type DeadLetterOrigin,
  deadLetterTopic,
  MALFORMED_MESSAGE,
} from '@patchtrail/contracts';
import { failureColumns } from '@patchtrail/postgres';
import { type Bus, BusRefusal, type Delivery } from './bus.js';
import { within } from './deadline.js';
import type { Log } from './log.js';

/** Less than a transaction may be idle. */
const SEND_MS_MAX = 20_000;

export type DeadLetterOptions = Readonly<{
  bus: Pick<Bus, 'ensureTopic' | 'publish'>;
  group: string;
  log: Log;
}>;

/**
 * Publishes a copy with its cause and where it came from: before the transaction commits that records
 * it, so a copy may come twice and is not missed by a crash. The record is what counts, so a copy
 * that cannot be published is logged and holds nothing up.
 */
export async function publishDeadLetter(
  { bus, group, log }: DeadLetterOptions,
  delivery: Delivery,
  error: unknown,
  sendMs = SEND_MS_MAX,
): Promise<void> {
  const topic = deadLetterTopic(delivery.topic, group);
  const letter = deadLetterOf(group, delivery, error);
  try {
    await within(sendMs, `publishing to ${topic}`, send(bus, topic, letter));
  } catch (failure) {
    log.error({ err: failure, group, topic, messageId: letter.id }, 'A dead letter was not sent.');
  }
}

async function send(
  bus: DeadLetterOptions['bus'],
  topic: string,
  letter: CloudEvent,
): Promise<void> {
  await bus.ensureTopic(topic, DEAD_LETTER_PARTITIONS);
  try {
    await bus.publish(topic, [letter]);
  } catch (error) {
    if (!(error instanceof BusRefusal) || error.code !== 'message-too-large') throw error;
    // It was as large as a message may be. It can be read where it came from.
    await bus.publish(topic, [{ ...letter, data: null }]);
  }
}

function deadLetterOf(
  group: string,
  delivery: Delivery,
  error: unknown,
): CloudEvent & DeadLetterOrigin {
  const { topic, partition, offset, message } = delivery;
  const { code, cause } = failureColumns(error);
  return {
    ...(isWellFormed(message) ? message : envelopeFor(delivery)),
    originaltopic: topic,
    originalpartition: String(partition),
    originaloffset: String(offset),
    consumergroup: group,
    errorcode: error instanceof ContractViolation ? 'contract-violation' : code,
    errormessage: oneLine(cause),
  };
}

function isWellFormed(message: CloudEvent): boolean {
  try {
    assertCloudEvent(message);
    return true;
  } catch (error) {
    if (error instanceof ContractViolation) return false;
    throw error;
  }
}

/** Around what was no message of ours, whatever it was. */
function envelopeFor({ topic, partition, offset, message }: Delivery): CloudEvent {
  const at = new Date().toISOString();
  const place = `${String(partition)}/${String(offset)}`;
  const type = MALFORMED_MESSAGE;
  return {
    ...{ specversion: '1.0', id: place, source: '/patchtrail/messaging', type },
    ...{ subject: `${topic}/${place}`, time: at, recordedtime: at, partitionkey: place },
    ...{ datacontenttype: 'application/json', dataschema: `urn:patchtrail:schema:${type}` },
    ...{ sequence: String(offset).padStart(20, '0'), correlationid: '', causationid: '' },
    ...{ traceparent: '', authid: '', data: message },
  };
}

/** Attributes may hold no control characters. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
