import { randomUUID } from 'node:crypto';
import {
  type CloudEvent,
  defineEvent,
  toCloudEvent,
  TOPIC_PARTITIONS,
} from '@patchtrail/contracts';
import { type Bus, consume } from '@patchtrail/messaging';
import type { Database } from '@patchtrail/postgres';
import { Type } from '@sinclair/typebox';
import kafkajs from 'kafkajs';
import { contextOf, voteBy } from './ballot.js';
import type { OpenPipe } from './flow.js';
import { nobody } from './nobody.js';

/** So many that every partition has its turn in every batch. */
const KEYS = 500;
const TOPIC = 'bench.votes.v1';

const VoteCast = defineEvent('bench', TOPIC, 'VoteCast', Type.Object({ by: Type.String() }));
const keys = Array.from({ length: KEYS }, () => randomUUID());
let published = 0;

/** An integration event with 540 bytes of data. */
function nextMessage(): CloudEvent {
  published += 1;
  const key = keys[published % KEYS] ?? '';
  const { commandId, at, ...origin } = contextOf();
  const times = { time: at, recordedTime: at };
  return toCloudEvent(
    VoteCast,
    { ...origin, ...times, id: commandId, subject: `vote/${key}`, key, sequence: published },
    voteBy(`voter ${published}`).data,
  );
}

function nextMessages(count: number): CloudEvent[] {
  return Array.from({ length: count }, nextMessage);
}

/** The product's way over a bus: as many members of one group, each message once by the inbox. */
export function throughInbox(bus: Bus, db: Database, members: number): OpenPipe {
  return async (settled) => {
    await bus.ensureTopic(TOPIC, TOPIC_PARTITIONS);
    const stop = new AbortController();
    const group = `bench.${randomUUID()}`;
    // Settled: its inbox row is committed, and its offset may be.
    const counted: Bus = {
      ...bus,
      run: (options) =>
        bus.run({
          ...options,
          handle: async (delivery) => {
            await options.handle(delivery);
            settled(1);
          },
        }),
    };
    const apply = () => Promise.resolve();
    const consumers = Array.from({ length: members }, () =>
      consume({
        ...{ bus: counted, db, group, topics: [TOPIC], apply },
        ...{ signal: stop.signal, log: nobody },
      }),
    );
    return {
      publish: (count) => bus.publish(TOPIC, nextMessages(count)),
      close: async () => {
        stop.abort();
        await Promise.all(consumers.map(({ done }) => done));
      },
    };
  };
}

/** kafkajs alone: the same bytes under the same promise, read in whole batches, into nothing. */
export function throughKafkajs(
  brokers: readonly string[],
  { ensureTopic }: Pick<Bus, 'ensureTopic'>,
  members: number,
): OpenPipe {
  return async (settled) => {
    const { Kafka, logLevel, Partitioners } = kafkajs;
    const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
    const topic = `raw.${randomUUID()}`;
    await ensureTopic(topic, TOPIC_PARTITIONS);
    const createPartitioner = Partitioners.DefaultPartitioner;
    const producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner,
    });
    await producer.connect();
    const groupId = `raw.${randomUUID()}`;
    const consumers = Array.from({ length: members }, () =>
      kafka.consumer({ groupId, maxWaitTimeInMs: 250, heartbeatInterval: 1_000 }),
    );
    for (const consumer of consumers) {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumer.run({
        eachBatch: ({ batch }) => {
          settled(batch.messages.length);
          return Promise.resolve();
        },
      });
    }
    return {
      publish: async (count) => {
        const messages = nextMessages(count).map(({ data, partitionkey: key, ...attributes }) => {
          return { key, value: JSON.stringify(data), headers: attributes };
        });
        await producer.send({ topic, messages, acks: -1 });
      },
      close: async () => {
        await Promise.all([producer, ...consumers].map((client) => client.disconnect()));
      },
    };
  };
}
