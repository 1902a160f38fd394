import './source-hooks.mjs';

export default async function setUp() {
  const { offerPostgres } = await import('./offer-postgres.ts');
  const { offerKafka } = await import('../kafka/offer-kafka.ts');
  await offerPostgres();
  await offerKafka();
}
