import './source-hooks.mjs';

export default async function tearDown() {
  const { withdrawPostgres } = await import('./offer-postgres.ts');
  const { withdrawKafka } = await import('../kafka/offer-kafka.ts');
  await Promise.all([withdrawPostgres(), withdrawKafka()]);
}
