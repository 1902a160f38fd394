import kafkajs, { type Admin } from 'kafkajs';
import { BusRefusal, MESSAGE_BYTES_MAX } from '../bus.js';
import type { Log } from '../log.js';
import { refuseTopic } from '../refuse.js';
import { answerOf } from './client.js';

/** A message of the size that is allowed, with its headers. */
const TOPIC_MESSAGE_BYTES = 2 * MESSAGE_BYTES_MAX;
const MESSAGE_BYTES = 'max.message.bytes';
const RETENTION = 'retention.ms';
const CLEANUP = 'cleanup.policy';
const FOR_EVER = -1;
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

export function createTopics(ask: Ask, settings: TopicSettings, log: Log | undefined): Topics {
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
      const found = await ask(`reading the settings of ${topic}`, settingsOf(topic));
      checkSettings(topic, found, settings, log);
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
  { replication, retentionMs = FOR_EVER }: TopicSettings,
): (admin: Admin) => Promise<boolean> {
  return async (admin) => {
    const replicationFactor = replication ?? (await defaultReplication(admin));
    const entries = {
      [CLEANUP]: 'delete',
      [RETENTION]: retentionMs,
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

type Found = ReadonlyMap<string, string>;

function settingsOf(topic: string): (admin: Admin) => Promise<Found> {
  return async (admin) => {
    const configNames = [MESSAGE_BYTES, RETENTION, CLEANUP];
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames }],
    });
    const entries = resources[0]?.configEntries ?? [];
    return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
  };
}

/**
 * One that somebody else has made may be too narrow for our messages, or forget some of them. How
 * long it keeps them is the operator's to change, and to hear of.
 */
function checkSettings(
  topic: string,
  found: Found,
  { retentionMs = FOR_EVER }: TopicSettings,
  log: Log | undefined,
): void {
  const bytes = Number(found.get(MESSAGE_BYTES) ?? 0);
  if (bytes < TOPIC_MESSAGE_BYTES) {
    const rule = `is ${String(bytes)} and must be at least ${String(TOPIC_MESSAGE_BYTES)}`;
    throw new Error(`Topic ${topic}: ${MESSAGE_BYTES} ${rule}.`);
  }
  const cleanup = found.get(CLEANUP);
  if (cleanup !== 'delete') {
    throw new Error(`Topic ${topic}: ${CLEANUP} is ${String(cleanup)} and must be delete.`);
  }
  const kept = Number(found.get(RETENTION));
  if (kept !== retentionMs) {
    const fields = { topic, found: kept, configured: retentionMs };
    log?.warn(fields, `A topic keeps its messages for another time than is configured.`);
  }
}
