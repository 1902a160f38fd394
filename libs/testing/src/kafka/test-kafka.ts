import { missingForKafka } from '@patchtrail/messaging/kafka-broker';
import { kafkaOfferUrl } from '../config.js';
import { kafkaSource } from './kafka-source.js';

/** Why this host cannot run specs that need a Kafka; for `lane`. */
export async function missingKafka(): Promise<string | null> {
  return (await kafkaSource()).missing;
}

/** Why it cannot run specs that kill a Kafka of their own, from `startKafka`; for `lane`. */
export function missingOwnKafka(): Promise<string | null> {
  return missingForKafka();
}

/** `host:port` of the brokers that all specs of this run share. Topics and groups are one's own. */
export async function testBrokers(): Promise<readonly string[]> {
  const response = await fetch(kafkaOfferUrl());
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text.split(',');
}
