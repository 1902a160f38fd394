import { testServerUrl } from '../fresh-database.js';
import { offerPostgres, withdrawPostgres } from './offer-postgres.js';

/** A Jest run as far as the database is concerned. */
await offerPostgres();
process.stdout.write('offered\n');
process.stdin.once('data', () => {
  void testServerUrl().then((url) => {
    process.stdout.write(`started ${url}\n`);
    process.stdin.once('data', () => {
      void withdrawPostgres();
      process.stdin.destroy();
    });
  });
});
