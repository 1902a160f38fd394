import { standaloneConfig } from '../config.js';
import { setUp } from './set-up.js';

/** Once, before the processes of an installation start; again, it changes nothing. */
export async function runSetUp(): Promise<void> {
  try {
    const { databases, issuer } = await setUp(standaloneConfig());
    process.stdout.write(`Databases are ready: ${databases.join(', ')}\n`);
    if (issuer !== null) process.stdout.write(`The local issuer is ready: ${issuer}\n`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`Patchtrail cannot be set up: ${reason}\n`);
    process.exitCode = 1;
  }
}
