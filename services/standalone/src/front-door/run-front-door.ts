import { createLogger } from '@patchtrail/platform';
import { runUntilTold } from '../run-until-told.js';
import { frontDoorConfig } from './config.js';
import { startFrontDoor } from './front-door.js';
import { findByName } from './names.js';

/** The front door in a process of its own, for services whose replicas share a host name. */
export async function runFrontDoor(): Promise<void> {
  await runUntilTold('The front door', async () => {
    const { instance, host, port, urls } = frontDoorConfig();
    const log = createLogger(instance);
    const { url, close } = await startFrontDoor({ find: findByName(urls), log, host, port });
    process.stdout.write(`The front door is ready at ${url}\n`);
    return { running: { failed: new Promise(() => undefined), stop: close }, log };
  });
}
