import { assertCloudEvent, type CloudEvent, ContractViolation } from '@patchtrail/contracts';
import {
  AT_ONCE,
  AT_ONCE_MAX,
  BusRefusal,
  type ConsumerOptions,
  MESSAGE_BYTES_MAX,
  MESSAGES_PER_PUBLISH_MAX,
  PARTITIONS_MAX,
} from './bus.js';

/** What every broker takes as a name, and what no lock or channel name can be confused by. */
const NAME = /^[a-zA-Z0-9._-]{1,200}$/;
const NAME_RULE = '1 to 200 of a-z, A-Z, 0-9, dot, underscore and dash';

/** @throws BusRefusal */
export function refuseTopic(topic: string, partitions: number): void {
  if (!NAME.test(topic)) throw new BusRefusal('invalid-topic', 'topic', NAME_RULE);
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > PARTITIONS_MAX) {
    const rule = `a whole number from 1 to ${String(PARTITIONS_MAX)}`;
    throw new BusRefusal('invalid-partitions', 'partitions', rule);
  }
}

/** @throws BusRefusal */
export function refuseGroup(group: string): void {
  if (!NAME.test(group)) throw new BusRefusal('invalid-group', 'group', NAME_RULE);
}

/** @throws BusRefusal */
export function refuseConsumer({ group, atOnce = AT_ONCE }: ConsumerOptions): void {
  refuseGroup(group);
  if (!Number.isInteger(atOnce) || atOnce < 1 || atOnce > AT_ONCE_MAX) {
    const rule = `a whole number from 1 to ${String(AT_ONCE_MAX)}`;
    throw new BusRefusal('invalid-at-once', 'atOnce', rule);
  }
}

/** A message with its attributes and data as JSON. */
export type Encoded = Readonly<{ key: string; attributes: string; data: string }>;

/** All of the messages as JSON, or none. @throws BusRefusal */
export function encodeMessages(messages: readonly CloudEvent[]): readonly Encoded[] {
  if (messages.length > MESSAGES_PER_PUBLISH_MAX) {
    const rule = `at most ${String(MESSAGES_PER_PUBLISH_MAX)} in one call`;
    throw new BusRefusal('too-many-messages', 'messages', rule);
  }
  return messages.map(encodeMessage);
}

function encodeMessage(message: CloudEvent): Encoded {
  const { data, ...attributes } = accepted(message);
  const encoded = {
    key: message.partitionkey,
    attributes: JSON.stringify(attributes),
    data: asJson(data),
  };
  const bytes = Buffer.byteLength(encoded.attributes) + Buffer.byteLength(encoded.data);
  if (bytes > MESSAGE_BYTES_MAX) {
    const rule = `message ${message.id} holds ${String(bytes)} bytes; at most ${String(MESSAGE_BYTES_MAX)} are allowed`;
    throw new BusRefusal('message-too-large', 'data', rule);
  }
  return encoded;
}

function accepted(message: CloudEvent): CloudEvent {
  try {
    return assertCloudEvent(message);
  } catch (error) {
    if (!(error instanceof ContractViolation)) throw error;
    throw new BusRefusal('invalid-message', error.field.slice(1), error.rule);
  }
}

function asJson(data: unknown): string {
  try {
    // Typed as a string, but undefined for what JSON does not know.
    const json: unknown = JSON.stringify(data);
    if (typeof json === 'string') return json;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  throw new BusRefusal('invalid-message', 'data', 'a JSON value');
}
