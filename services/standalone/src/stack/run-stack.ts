import { createLogger } from '@patchtrail/platform';
import { announce } from '../announce.js';
import { runUntilTold } from '../run-until-told.js';
import { stackConfig } from './config.js';
import { startStack } from './start-stack.js';

/** Starts, says where, and stops when told. */
export async function runStack(): Promise<void> {
  await runUntilTold('Patchtrail', async () => {
    const config = stackConfig();
    const log = createLogger(config.instance);
    const running = await startStack(config, log);
    announce(running.facts);
    return { running, log };
  });
}
