import './source-hooks.mjs';

export default async function setUp() {
  const { offerPostgres } = await import('./offer-postgres.ts');
  await offerPostgres();
}
