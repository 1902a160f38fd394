import { createLogger } from '@patchtrail/platform';
import { announce } from './announce.js';
import { standaloneConfig } from './config.js';
import { runUntilTold } from './run-until-told.js';
import { startStandalone } from './standalone.js';

/** Starts, says where, and stops when told. */
export async function runStandalone(): Promise<void> {
  await runUntilTold('Patchtrail', async () => {
    const config = standaloneConfig();
    const log = createLogger(config.instance);
    const running = await startStandalone(config, log);
    announce(running.facts);
    return { running, log };
  });
}
