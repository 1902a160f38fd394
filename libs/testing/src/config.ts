import type { ServerChoice } from '@patchtrail/postgres';

/** Where specs ask for the database server of the run. */
const OFFER = 'PATCHTRAIL_TEST_POSTGRES_OFFER';

export function setOffer(url: string): void {
  process.env[OFFER] = url;
}

export function offerUrl(): string {
  const url = process.env[OFFER];
  if (url === undefined)
    throw new Error(`${OFFER} is not set: Jest must run the global setup of @patchtrail/testing.`);
  return url;
}

/** A server to use instead of starting one; its account must be allowed to create databases. */
export function givenAdminUrl(): string | undefined {
  const urls = [process.env['PATCHTRAIL_TEST_DATABASE_URL'], process.env['DATABASE_URL']];
  return urls.find((url) => url !== undefined && url !== '');
}

/** An EventStoreDB server for its specs, instead of the double. */
export function givenEventStoreDbUrl(): string | null {
  const url = process.env['EVENTSTOREDB_TEST_URL'] ?? '';
  return url === '' ? null : url;
}

/** Where a spec that cannot run is a failure instead of a line in the report. */
export function mustRunEverything(): boolean {
  return process.env['CI'] === 'true';
}

/** How long specs race: 2 s while one works, 10 s in CI, 60 s in the nightly lane. */
export function raceMs(): number {
  if (process.env['PATCHTRAIL_NIGHTLY'] === 'true') return 60_000;
  return mustRunEverything() ? 10_000 : 2_000;
}

export function serverChoice(): ServerChoice {
  const choice = process.env['PATCHTRAIL_POSTGRES'] ?? 'auto';
  if (choice === 'auto' || choice === 'embedded' || choice === 'installed') return choice;
  throw new Error('PATCHTRAIL_POSTGRES must be auto, embedded or installed.');
}

const KAFKA_OFFER = 'PATCHTRAIL_TEST_KAFKA_OFFER';

export function setKafkaOffer(url: string): void {
  process.env[KAFKA_OFFER] = url;
}

export function kafkaOfferUrl(): string {
  const url = process.env[KAFKA_OFFER];
  if (url === undefined)
    throw new Error(
      `${KAFKA_OFFER} is not set: Jest must run the global setup of @patchtrail/testing.`,
    );
  return url;
}

/** Brokers to use instead of starting one: `host:port`, separated by commas. */
export function givenKafkaBrokers(): string | undefined {
  const given = process.env['PATCHTRAIL_TEST_KAFKA_BROKERS'];
  return given === '' ? undefined : given;
}

export type KafkaChoice = 'auto' | 'java' | 'container';

/** What runs the broker of the specs; `auto` prefers Java. */
export function kafkaChoice(): KafkaChoice {
  const choice = process.env['PATCHTRAIL_TEST_KAFKA'] ?? 'auto';
  if (choice === 'auto' || choice === 'java' || choice === 'container') return choice;
  throw new Error('PATCHTRAIL_TEST_KAFKA must be auto, java or container.');
}
