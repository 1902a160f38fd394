import { type Logger, untilSignal } from '@patchtrail/platform';
import { untilInputEnds } from './until-input-ends.js';
import { untilParentEnds } from './until-parent-ends.js';

type Running = Readonly<{
  failed: Promise<unknown>;
  stop: () => Promise<void>;
}>;

/**
 * Starts, and stops on SIGINT or SIGTERM, when its input or its parent has ended if the arguments
 * ask for it, or when what was started cannot go on. The exit status is 0 only if it was told to
 * stop and could.
 */
export async function runUntilTold(
  what: string,
  start: () => Promise<Readonly<{ running: Running; log: Logger }>>,
  args: readonly string[] = process.argv.slice(2),
): Promise<void> {
  const alone = Promise.race([untilInputEnds(args), untilParentEnds(args)]);
  try {
    const { running, log } = await start();
    const failure = running.failed.then((cause) => ({ cause }));
    const end = await Promise.race([untilSignal(), alone, failure]);
    if (typeof end === 'string') log.info({ reason: end }, 'Stopping.');
    else {
      log.fatal({ err: end.cause }, `${what} cannot go on and stops.`);
      process.exitCode = 1;
    }
    await running.stop().catch((error: unknown) => {
      log.error({ err: error }, 'Not everything could be stopped.');
      process.exitCode = 1;
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${what} cannot start: ${reason}\n`);
    process.exitCode = 1;
  }
}
