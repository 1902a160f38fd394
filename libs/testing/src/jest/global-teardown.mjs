import './source-hooks.mjs';

export default async function tearDown() {
  const { withdrawPostgres } = await import('./offer-postgres.ts');
  await withdrawPostgres();
}
