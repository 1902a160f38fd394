import { CONSUMERS, type ConsumerGroup } from './consumers.js';

/** They are few, and all that a reader must keep is their order. */
export const DEAD_LETTER_PARTITIONS = 1;

/** Around what was no message of ours, whatever it was. */
export const MALFORMED_MESSAGE = 'org.patchtrail.messaging.MalformedMessage.v1';

/**
 * What a copy of a message that a group could not handle says beside its own attributes: where it
 * came from and why. CloudEvents' names are of lower-case letters and digits.
 */
export type DeadLetterOrigin = Readonly<{
  originaltopic: string;
  originalpartition: string;
  originaloffset: string;
  consumergroup: string;
  errorcode: string;
  errormessage: string;
}>;

/** Where copies of what a group could not handle are, for people and programs that watch the bus. */
export function deadLetterTopic(topic: string, group: string): string {
  return `${topic}.${group}.dlq`;
}

/** Every topic that a group reads, with the topic of its dead letters. */
export function deadLetterTopics(): readonly Readonly<{
  group: string;
  topic: string;
  letters: string;
}>[] {
  const groups: readonly ConsumerGroup[] = Object.values(CONSUMERS);
  return groups.flatMap(({ group, topics }) =>
    topics.map((topic) => ({ group, topic, letters: deadLetterTopic(topic, group) })),
  );
}
