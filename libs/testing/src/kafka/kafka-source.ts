import { missingForKafka } from '@patchtrail/messaging/kafka-broker';
import { givenKafkaBrokers, kafkaChoice } from '../config.js';
import { missingForContainers } from './container.js';

export type KafkaSource = Readonly<{
  kind: 'given' | 'java' | 'container';
  missing: string | null;
}>;

/** Where the broker of the specs comes from, and what this host lacks for it. */
export async function kafkaSource(): Promise<KafkaSource> {
  if (givenKafkaBrokers() !== undefined) return { kind: 'given', missing: null };
  const choice = kafkaChoice();
  const java: KafkaSource = { kind: 'java', missing: await missingForKafka() };
  if (choice === 'java' || (choice === 'auto' && java.missing === null)) return java;
  const container: KafkaSource = { kind: 'container', missing: await missingForContainers() };
  if (choice === 'container' || container.missing === null) return container;
  return { kind: 'java', missing: `${java.missing ?? ''}; nor are there containers` };
}
