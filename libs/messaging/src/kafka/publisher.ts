import type { CloudEvent } from '@patchtrail/contracts';
import { type IHeaders, type Message, Partitioners, type Producer } from 'kafkajs';
import type { Log } from '../log.js';
import { partitionOf } from '../partition.js';
import { encodeMessages } from '../refuse.js';
import { type KafkaConnection, reasonOf, RETRY } from './client.js';
import { toRecord } from './cloud-event.js';
import { createLink, type Link } from './link.js';

/** One request to the broker: no further message beyond this many bytes. */
const REQUEST_BYTES_MAX = 1_048_576;
/** As far as the client is concerned; the deadline is ours. */
const FOR_EVER = Number.MAX_SAFE_INTEGER;
/** Lengths and offsets of a record and its headers, generously. */
const RECORD_BYTES = 200;

export type Publisher = Readonly<{
  publish: (topic: string, messages: readonly CloudEvent[]) => Promise<void>;
  /** Why the last publication failed, unless it succeeded. */
  failure: () => string | null;
  close: () => Promise<void>;
}>;

export function createPublisher(
  options: Readonly<{
    connection: KafkaConnection;
    log: Log | undefined;
    publishMs: number;
    partitionsOf: (topic: string) => Promise<number>;
  }>,
): Publisher {
  const link = createLink({
    ...options,
    create: (kafka) =>
      kafka.producer({
        idempotent: true,
        maxInFlightRequests: 1,
        allowAutoTopicCreation: false,
        createPartitioner: Partitioners.DefaultPartitioner,
        retry: { ...RETRY, retries: FOR_EVER },
      }),
    limits: { connectRetries: FOR_EVER },
    // What was under way may still arrive: a new producer must not continue its numbers.
    survives: () => false,
  });
  let failure: string | null = null;
  const publish = async (topic: string, messages: readonly CloudEvent[]) => {
    const encoded = encodeMessages(messages);
    const records = messages.map((message, at) => toRecord(message, encoded[at]?.data ?? ''));
    const partitions = await options.partitionsOf(topic);
    if (records.length === 0) return;
    try {
      await sendAll(link, topic, records, partitions, options.publishMs);
      failure = null;
    } catch (error) {
      failure = reasonOf(error);
      throw error;
    }
  };
  return { publish, failure: () => failure, close: () => link.close() };
}

type Encoded = Message & { headers: IHeaders };

async function sendAll(
  link: Link<Producer>,
  topic: string,
  records: readonly Encoded[],
  partitions: number,
  publishMs: number,
): Promise<void> {
  const deadline = performance.now() + publishMs;
  for (const messages of requestsOf(records, partitions)) {
    const leftMs = deadline - performance.now();
    try {
      await link.use(leftMs, `publishing to ${topic}`, (producer) =>
        producer.send({ topic, messages, acks: -1, timeout: publishMs }),
      );
    } catch (cause) {
      const text = `It is unknown whether the messages are in the topic, publish them again: ${reasonOf(cause)}`;
      throw new Error(text, { cause });
    }
  }
}

/** In their order, with their partitions. */
function* requestsOf(records: readonly Encoded[], partitions: number): Generator<Message[]> {
  let request: Message[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = bytesOf(record);
    if (request.length > 0 && bytes + size > REQUEST_BYTES_MAX) {
      yield request;
      [request, bytes] = [[], 0];
    }
    request.push({ ...record, partition: partitionOf(String(record.key), partitions) });
    bytes += size;
  }
  if (request.length > 0) yield request;
}

function bytesOf({ key, value, headers }: Encoded): number {
  let bytes = RECORD_BYTES + Buffer.byteLength(String(key)) + Buffer.byteLength(String(value));
  for (const [name, text] of Object.entries(headers)) {
    bytes += name.length + Buffer.byteLength(String(text));
  }
  return bytes;
}
