import { tryLease } from './index.js';

/** Takes a lease that it loses after 400 ms of silence, says so, and goes on. */
const [url = '', name = ''] = process.argv.slice(2);
const lease = await tryLease(url, name, 400);
process.stdout.write(lease === null ? 'not held\n' : 'held\n');
