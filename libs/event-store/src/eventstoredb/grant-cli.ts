import { adminUrl } from './config.js';
import { grantReadOfAll } from './grant.js';

/** Lets the user named first read `$all`, as the administrator of EVENTSTOREDB_ADMIN_URL. */
const [, , user = ''] = process.argv;
const write = (fields: object, text: string) => console.log(text, JSON.stringify(fields));
try {
  await grantReadOfAll({ url: adminUrl(), user, log: { info: write, warn: write, error: write } });
} catch (error) {
  console.error(error instanceof Error ? error.message : 'failed');
  process.exitCode = 1;
}
