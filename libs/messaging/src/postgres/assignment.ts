export type TopicPartition = Readonly<{ topic: string; partition: number }>;

/** A running member of a group: the topics it consumes, and an id that orders the members. */
export type Member = Readonly<{ id: number; topics: ReadonlySet<string> }>;

/**
 * Who should hold which partition. Every member computes this from the same facts and so needs
 * nobody to tell it; while the facts differ for a moment, the lock on each partition decides.
 * Each partition of a topic that somebody consumes goes to exactly one of them, to whoever has
 * fewest so far.
 */
export function assignPartitions(
  partitions: readonly TopicPartition[],
  members: readonly Member[],
): ReadonlyMap<number, readonly TopicPartition[]> {
  const shares = new Map<number, TopicPartition[]>();
  for (const { id } of [...members].sort((a, b) => a.id - b.id)) shares.set(id, []);
  const topicsOf = new Map(members.map(({ id, topics }) => [id, topics]));
  for (const each of [...partitions].sort(byTopicAndPartition)) {
    let smallest: TopicPartition[] | undefined;
    for (const [id, share] of shares) {
      if (topicsOf.get(id)?.has(each.topic) !== true) continue;
      if (smallest === undefined || share.length < smallest.length) smallest = share;
    }
    smallest?.push(each);
  }
  return shares;
}

function byTopicAndPartition(a: TopicPartition, b: TopicPartition): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1;
  return a.partition - b.partition;
}
