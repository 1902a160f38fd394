import { startKafka } from '@patchtrail/messaging/kafka-broker';
import { givenKafkaBrokers, setKafkaOffer } from '../config.js';
import { type Offer, openOffer } from '../jest/offer.js';
import { startKafkaContainer } from './container.js';
import { kafkaSource } from './kafka-source.js';

type Started = Readonly<{ brokers: readonly string[]; stop: () => Promise<void> }>;

const offer: { open: Offer | undefined; started: Promise<Started> | undefined } = {
  open: undefined,
  started: undefined,
};

async function start(): Promise<Started> {
  const source = await kafkaSource();
  return source.kind === 'container' ? startKafkaContainer() : startKafka();
}

async function brokers(): Promise<string> {
  const given = givenKafkaBrokers();
  if (given !== undefined) return given;
  offer.started ??= start();
  return (await offer.started).brokers.join(',');
}

/** One Kafka for the whole run, started when the first spec asks. It does not outlive the run. */
export async function offerKafka(): Promise<void> {
  offer.open = await openOffer(brokers);
  setKafkaOffer(offer.open.url);
}

export async function withdrawKafka(): Promise<void> {
  offer.open?.withdraw();
  const started = await offer.started?.catch(() => undefined);
  await started?.stop();
}
