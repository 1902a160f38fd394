import { type Admin, ConfigResourceTypes } from 'kafkajs';
import { BusRefusal, MESSAGE_BYTES_MAX } from '../bus.js';
import { refuseTopic } from '../refuse.js';
import { answerOf } from './client.js';

/** A message of the size that is allowed, with its headers. */
const TOPIC_MESSAGE_BYTES = 2 * MESSAGE_BYTES_MAX;
const REPLICATION_DEFAULT_MAX = 3;

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
  return {
    ensure: async (topic, partitions) => {
      refuseTopic(topic, partitions);
      if ((await find(topic)) === null) {
        await ask(`creating ${topic}`, create(topic, partitions, settings));
      }
      const there = await find(topic);
      if (there !== partitions) {
        const rule = `topic ${topic} has ${String(there)} for ever, not ${String(partitions)}`;
        throw new BusRefusal('partitions-fixed', 'partitions', rule);
      }
      await ask(`reading the settings of ${topic}`, assertRoom(topic));
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
      if (answer === 'UNKNOWN_TOPIC_OR_PARTITION' || answer === 'INVALID_TOPIC_EXCEPTION') {
        return null;
      }
      throw error;
    }
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
      'max.message.bytes': TOPIC_MESSAGE_BYTES,
      // With three copies, what is acknowledged survives one broker.
      'min.insync.replicas': replicationFactor >= REPLICATION_DEFAULT_MAX ? 2 : 1,
    };
    const configEntries = Object.entries(entries).map(([name, value]) => ({
      name,
      value: String(value),
    }));
    const topics = [{ topic, numPartitions, replicationFactor, configEntries }];
    return admin.createTopics({ topics, waitForLeaders: true });
  };
}

async function defaultReplication(admin: Admin): Promise<number> {
  const { brokers } = await admin.describeCluster();
  return Math.max(1, Math.min(REPLICATION_DEFAULT_MAX, brokers.length));
}

/** A topic made by somebody else may be too narrow for our messages. */
function assertRoom(topic: string): (admin: Admin) => Promise<void> {
  return async (admin) => {
    const setting = 'max.message.bytes';
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic, configNames: [setting] };
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [resource],
    });
    const value = resources[0]?.configEntries.find((each) => each.configName === setting);
    const bytes = Number(value?.configValue ?? TOPIC_MESSAGE_BYTES);
    if (bytes >= TOPIC_MESSAGE_BYTES) return;
    throw new Error(
      `Topic ${topic}: ${setting} is ${String(bytes)} and must be at least ${String(TOPIC_MESSAGE_BYTES)}.`,
    );
  };
}
