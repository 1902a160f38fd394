import { join } from 'node:path';
import { createLogger } from '@patchtrail/platform';
import { startPostgres } from '@patchtrail/postgres';
import { standaloneConfig } from '../config.js';
import { runUntilTold } from '../run-until-told.js';

/** The stack's PostgreSQL: in a process of its own, which stops it in order when the stack is gone. */
await runUntilTold('PostgreSQL', async () => {
  const { instance, dataDir, postgres: choice } = standaloneConfig();
  const log = createLogger(instance);
  const server = await startPostgres({ dataDir: join(dataDir, 'postgres'), choice, log });
  // Nobody but the stack reads this pipe.
  const { adminUrl, kind, version } = server;
  process.stdout.write(`PostgreSQL is ready at ${adminUrl} (${kind} ${version})\n`);
  return { running: { failed: new Promise(() => undefined), stop: () => server.stop() }, log };
});
