import { TOPIC_PARTITIONS, TOPICS } from '@patchtrail/contracts';
import type { Bus } from '@patchtrail/messaging';

/** Creates the topics of all integration events where they are missing. Safe to repeat. */
export async function ensureTopics(bus: Pick<Bus, 'ensureTopic'>): Promise<void> {
  for (const topic of TOPICS) await bus.ensureTopic(topic, TOPIC_PARTITIONS);
}
