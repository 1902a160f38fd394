import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { assignPartitions, type TopicPartition } from './assignment.js';

const TOPICS = ['a', 'b', 'c'] as const;
const members = fc.uniqueArray(
  fc.record({
    id: fc.integer({ min: 1, max: 99 }),
    topics: fc.subarray([...TOPICS], { minLength: 1 }).map((topics) => new Set<string>(topics)),
  }),
  { selector: ({ id }) => id, maxLength: 6 },
);
const partitions = fc
  .tuple(...TOPICS.map(() => fc.integer({ min: 1, max: 6 })))
  .map((counts): TopicPartition[] =>
    TOPICS.flatMap((topic, at) =>
      Array.from({ length: counts[at] ?? 0 }, (_, partition) => ({ topic, partition })),
    ),
  );
const name = ({ topic, partition }: TopicPartition) => `${topic}/${String(partition)}`;

describe('assignPartitions', () => {
  it('gives each partition that somebody consumes to exactly one who consumes it', () => {
    fc.assert(
      fc.property(partitions, members, (all, group) => {
        const shares = assignPartitions(all, group);
        const wanted = all.filter(({ topic }) => group.some(({ topics }) => topics.has(topic)));
        expect([...shares.values()].flat().map(name).sort()).toEqual(wanted.map(name).sort());
        for (const { id, topics } of group) {
          for (const { topic } of shares.get(id) ?? []) expect(topics.has(topic)).toBe(true);
        }
      }),
    );
  });

  it('differs by at most one for a topic between members who consume it', () => {
    fc.assert(
      fc.property(partitions, members, (all, group) => {
        const shares = assignPartitions(all, group);
        for (const topic of TOPICS) {
          const sizes = group
            .filter(({ topics }) => topics.has(topic))
            .map(({ id }) => shares.get(id)?.filter((each) => each.topic === topic).length ?? 0);
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  it('is the same for a topic to members who see other topics besides', () => {
    fc.assert(
      fc.property(partitions, members, fc.constantFrom(...TOPICS), (all, group, topic) => {
        const ofTopic = (shares: ReturnType<typeof assignPartitions>) =>
          group.map(({ id }) => shares.get(id)?.filter((each) => each.topic === topic));
        const alone = all.filter((each) => each.topic === topic);
        expect(ofTopic(assignPartitions(alone, group))).toEqual(
          ofTopic(assignPartitions(all, group)),
        );
      }),
    );
  });

  it('does not depend on the order in which members and partitions are seen', () => {
    fc.assert(
      fc.property(partitions, members, (all, group) => {
        const seen = assignPartitions(all, group);
        expect(assignPartitions(all.toReversed(), group.toReversed())).toEqual(seen);
      }),
    );
  });
});
