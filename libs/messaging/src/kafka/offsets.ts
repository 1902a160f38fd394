import type { Admin, Consumer } from 'kafkajs';
import { BusRefusal } from '../bus.js';
import type { Log } from '../log.js';
import type { PartitionLag } from '../observed-bus.js';
import { type Client, type KafkaConnection, openClient } from './client.js';
import { within } from '../deadline.js';
import type { Ask } from './topics.js';

export type PartitionOffset = Readonly<{ topic: string; partition: number; offset: string }>;

/** Where a topic begins and ends, by partition. */
type Bounds = Readonly<{ topic: string; partition: number; low: bigint; high: bigint }>;

export async function lagOf(ask: Ask, group: string, topics: readonly string[]): Promise<bigint> {
  return (await lagsOf(ask, group, topics)).reduce((sum, { lag }) => sum + lag, 0n);
}

export async function lagsOf(
  ask: Ask,
  group: string,
  topics: readonly string[],
): Promise<readonly PartitionLag[]> {
  const [bounds, committed] = await Promise.all([
    boundsOf(ask, topics),
    committedBy(ask, group, topics),
  ]);
  return bounds.map(({ topic, partition, low, high }) => {
    const next = committed.get(nameOf(topic, partition)) ?? low;
    // What retention has removed is nobody's to read.
    return { topic, partition, lag: high - (next < low ? low : next) };
  });
}

/**
 * Kafka takes the offsets of a group only from a member, so this becomes its only one for a moment.
 * @throws BusRefusal `group-running`
 */
export async function rewindGroup(
  options: Readonly<{
    connection: KafkaConnection;
    log: Log | undefined;
    ask: Ask;
    rewindMs: number;
  }>,
  group: string,
  topics: readonly string[],
): Promise<void> {
  const { ask } = options;
  await refuseRunning(ask, group);
  const starts = (await boundsOf(ask, topics)).map(({ topic, partition, low }) => ({
    topic,
    partition,
    offset: String(low),
  }));
  const client = openClient(options.connection, options.log);
  try {
    const work = commitAsOnlyMember(client, group, topics, starts);
    await within(options.rewindMs, `rewinding ${group}`, work);
  } finally {
    client.cut();
  }
  const committed = await committedBy(ask, group, topics);
  const isBack = starts.every(
    ({ topic, partition, offset }) => String(committed.get(nameOf(topic, partition))) === offset,
  );
  if (!isBack) throw new Error(`Group ${group} could not be rewound; rewind it again.`);
}

async function refuseRunning(ask: Ask, group: string): Promise<void> {
  const { groups } = await ask(`describing ${group}`, (admin) => admin.describeGroups([group]));
  const state = groups[0]?.state ?? 'Dead';
  if (state !== 'Empty' && state !== 'Dead') throw groupRunning(group);
}

function groupRunning(group: string): BusRefusal {
  return new BusRefusal('group-running', 'group', `${group} must have no running members`);
}

async function commitAsOnlyMember(
  client: Client,
  group: string,
  topics: readonly string[],
  offsets: readonly PartitionOffset[],
): Promise<void> {
  const consumer = client.kafka.consumer({ groupId: group, maxWaitTimeInMs: 100 });
  const crashed = new Promise<never>((_, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error));
  });
  crashed.catch(() => undefined);
  await consumer.connect();
  await consumer.subscribe({ topics: [...topics], fromBeginning: true });
  const assigned = assignedTo(consumer);
  await Promise.race([consumer.run(IDLE), crashed]);
  try {
    if ((await Promise.race([assigned, crashed])) !== offsets.length) throw groupRunning(group);
    await Promise.race([consumer.commitOffsets([...offsets]), crashed]);
  } finally {
    await Promise.race([consumer.disconnect(), crashed]);
  }
}

/** A member that reads nothing. */
const IDLE = {
  autoCommit: false,
  eachBatchAutoResolve: false,
  eachBatch: () => Promise.resolve(),
} as const;

/** How many partitions the consumer gets when it joins. */
function assignedTo(consumer: Consumer): Promise<number> {
  return new Promise((resolve) => {
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      resolve(Object.values(payload.memberAssignment).flat().length);
    });
  });
}

async function boundsOf(ask: Ask, topics: readonly string[]): Promise<Bounds[]> {
  const all = [...new Set(topics)].map(async (topic) => {
    const bounds = await ask(`reading the offsets of ${topic}`, (admin) =>
      admin.fetchTopicOffsets(topic),
    );
    return bounds.map(({ partition, low, high }) => {
      return { topic, partition, low: BigInt(low), high: BigInt(high) };
    });
  });
  return (await Promise.all(all)).flat();
}

async function committedBy(
  ask: Ask,
  group: string,
  topics: readonly string[],
): Promise<ReadonlyMap<string, bigint>> {
  const fetched = await ask(`reading the offsets of ${group}`, (admin: Admin) =>
    admin.fetchOffsets({ groupId: group, topics: [...new Set(topics)] }),
  );
  const committed = new Map<string, bigint>();
  for (const { topic, partitions } of fetched) {
    for (const { partition, offset } of partitions) {
      // Negative: nothing is committed yet.
      if (BigInt(offset) >= 0n) committed.set(nameOf(topic, partition), BigInt(offset));
    }
  }
  return committed;
}

function nameOf(topic: string, partition: number): string {
  return `${topic}/${String(partition)}`;
}
