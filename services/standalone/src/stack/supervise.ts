import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '@patchtrail/platform';
import { type Child, type Program, startChild } from './child.js';

export type Supervised = Readonly<{
  /** Where it serves; `null` while it is down. */
  url: () => string | null;
  stop: () => Promise<void>;
}>;

const BACKOFF_MS_FIRST = 250;
const BACKOFF_MS_MAX = 10_000;
/** Whoever ran for this long starts over with the shortest wait. */
const STEADY_MS = 60_000;

/**
 * Keeps a program running until `stop`: one that ends is started again, after a wait that doubles
 * with every end that soon follows a start.
 * @throws Error when the first start fails
 */
export async function supervise(program: Program, log: Logger): Promise<Supervised> {
  const stopping = new AbortController();
  const isStopping = () => stopping.signal.aborted;
  let url: string | null = null;
  let child = startChild(program);
  const run = async () => {
    ({ url } = await child.ready);
    log.info({ child: program.name, pid: child.pid, url }, 'A process is ready.');
  };
  await run().catch(async (error: unknown) => {
    await child.stop();
    throw error;
  });
  const keep = async () => {
    for (let failures = 0; ; failures += 1) {
      const since = performance.now();
      const how = await child.ended;
      url = null;
      if (isStopping()) return;
      if (performance.now() - since > STEADY_MS) failures = 0;
      const waitMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_FIRST * 2 ** Math.min(failures, 10));
      log.error({ child: program.name, how, waitMs }, 'A process has ended and is started again.');
      await pause(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (isStopping()) return;
      child = startChild(program);
      run().catch((error: unknown) => restartLate(child, error, log));
    }
  };
  const kept = keep();
  return {
    url: () => url,
    stop: async () => {
      stopping.abort();
      await child.stop();
      await kept;
    },
  };
}

/** A start that takes too long ends here, so that another one can follow. */
async function restartLate(child: Child, error: unknown, log: Logger): Promise<void> {
  log.error({ err: error }, 'A process did not start.');
  await child.stop();
}
