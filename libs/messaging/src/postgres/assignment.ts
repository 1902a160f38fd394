import { partitionOf } from '../partition.js';

export type TopicPartition = Readonly<{ topic: string; partition: number }>;

/** A running member of a group: the topics it consumes, and an id that orders the members. */
export type Member = Readonly<{ id: number; topics: ReadonlySet<string> }>;

/**
 * Who should hold which partition. Every member computes this from the same facts and so needs
 * nobody to tell it; while the facts differ for a moment, the lock on each partition decides. The
 * partitions of a topic go in turn to those who consume it, and to whom depends on nothing else:
 * members of another version may know other topics besides.
 */
export function assignPartitions(
  partitions: readonly TopicPartition[],
  members: readonly Member[],
): ReadonlyMap<number, readonly TopicPartition[]> {
  const inOrder = [...members].sort((a, b) => a.id - b.id);
  const shares = new Map<number, TopicPartition[]>(inOrder.map(({ id }) => [id, []]));
  for (const each of [...partitions].sort(byTopicAndPartition)) {
    const consumers = inOrder.filter(({ topics }) => topics.has(each.topic));
    if (consumers.length === 0) continue;
    // Topics begin with different members, or the first would have all that have one partition.
    const turn = partitionOf(each.topic, consumers.length) + each.partition;
    const consumer = consumers[turn % consumers.length];
    if (consumer !== undefined) shares.get(consumer.id)?.push(each);
  }
  return shares;
}

function byTopicAndPartition(a: TopicPartition, b: TopicPartition): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1;
  return a.partition - b.partition;
}
