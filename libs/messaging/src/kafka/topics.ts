import kafkajs, { type Admin } from 'kafkajs';
import { BusRefusal, MESSAGE_BYTES_MAX } from '../bus.js';
import { refuseTopic } from '../refuse.js';
import { answerOf } from './client.js';

/** A message of the size that is allowed, with its headers. */
const TOPIC_MESSAGE_BYTES = 2 * MESSAGE_BYTES_MAX;
const MESSAGE_BYTES = 'max.message.bytes';
const REPLICATION_DEFAULT_MAX = 3;
const UNKNOWN = 'UNKNOWN_TOPIC_OR_PARTITION';
/** One of the names of kafkajs that Node cannot import by themselves. */
const { ConfigResourceTypes } = kafkajs;

export type TopicSettings = Readonly<{
  /** Copies of each partition; as many as there are brokers, up to 3, unless given. */
  replication?: number;
  /** How long messages are kept, in milliseconds; for ever unless given. */
  retentionMs?: number;
}>;

/** How Kafka is asked: retried while it is starting or moving, up to a deadline. */
export type Ask = <R>(what: string, work: (admin: Admin) => Promise<R>) => Promise<R>;

export type Topics = Readonly<{
  ensure: (topic: string, partitions: number) => Promise<void>;
  /** @throws BusRefusal `unknown-topic` */
  partitionsOf: (topic: string) => Promise<number>;
}>;

export function createTopics(ask: Ask, settings: TopicSettings): Topics {
  // A topic keeps its partitions for ever, so what was seen once stays true.
  const known = new Map<string, number>();
  const find = async (topic: string) => {
    const found = known.get(topic) ?? (await ask(`looking up ${topic}`, countPartitions(topic)));
    if (found !== null) known.set(topic, found);
    return found;
  };
  const make = async (topic: string, partitions: number) => {
    await ask(`creating ${topic}`, create(topic, partitions, settings));
    const there = await ask(`waiting for ${topic}`, countWhenThere(topic));
    known.set(topic, there);
    return there;
  };
  return {
    ensure: async (topic, partitions) => {
      refuseTopic(topic, partitions);
      const there = (await find(topic)) ?? (await make(topic, partitions));
      if (there !== partitions) {
        const rule = `topic ${topic} has ${String(there)} for ever, not ${String(partitions)}`;
        throw new BusRefusal('partitions-fixed', 'partitions', rule);
      }
      const bytes = await ask(`reading the settings of ${topic}`, messageBytesOf(topic));
      // One that somebody else has made may be too narrow for our messages.
      if (bytes < TOPIC_MESSAGE_BYTES) {
        const rule = `is ${String(bytes)} and must be at least ${String(TOPIC_MESSAGE_BYTES)}`;
        throw new Error(`Topic ${topic}: ${MESSAGE_BYTES} ${rule}.`);
      }
    },
    partitionsOf: async (topic) => {
      const found = await find(topic);
      if (found !== null) return found;
      throw new BusRefusal('unknown-topic', 'topic', `${topic} must be created before it is used`);
    },
  };
}

function countPartitions(topic: string): (admin: Admin) => Promise<number | null> {
  return async (admin) => {
    if (topic === '') return null;
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics.find(({ name }) => name === topic)?.partitions.length ?? null;
    } catch (error) {
      const answer = answerOf(error);
      if (answer === UNKNOWN || answer === 'INVALID_TOPIC_EXCEPTION') {
        return null;
      }
      throw error;
    }
  };
}

/** One that another process has just made is not everywhere yet. */
function countWhenThere(topic: string): (admin: Admin) => Promise<number> {
  return async (admin) => {
    const there = await countPartitions(topic)(admin);
    if (there !== null) return there;
    throw Object.assign(new Error(`Topic ${topic} is not there yet.`), {
      retriable: true,
      type: UNKNOWN,
    });
  };
}

function create(
  topic: string,
  numPartitions: number,
  { replication, retentionMs = -1 }: TopicSettings,
): (admin: Admin) => Promise<boolean> {
  return async (admin) => {
    const replicationFactor = replication ?? (await defaultReplication(admin));
    const entries = {
      'cleanup.policy': 'delete',
      'retention.ms': retentionMs,
      [MESSAGE_BYTES]: TOPIC_MESSAGE_BYTES,
      // With three copies, what is acknowledged survives one broker.
      'min.insync.replicas': replicationFactor >= REPLICATION_DEFAULT_MAX ? 2 : 1,
    };
    const configEntries = Object.entries(entries).map(([name, value]) => ({
      name,
      value: String(value),
    }));
    const topics = [{ topic, numPartitions, replicationFactor, configEntries }];
    // Waiting is done by asking for it: the client takes a topic that is not everywhere yet for none.
    return admin.createTopics({ topics, waitForLeaders: false });
  };
}

async function defaultReplication(admin: Admin): Promise<number> {
  const { brokers } = await admin.describeCluster();
  return Math.max(1, Math.min(REPLICATION_DEFAULT_MAX, brokers.length));
}

function messageBytesOf(topic: string): (admin: Admin) => Promise<number> {
  return async (admin) => {
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic, configNames: [MESSAGE_BYTES] };
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [resource],
    });
    const found = resources[0]?.configEntries.find((each) => each.configName === MESSAGE_BYTES);
    return Number(found?.configValue ?? 0);
  };
}
