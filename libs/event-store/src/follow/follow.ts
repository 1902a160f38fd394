import type { EventStore, Position, SubscriptionItem } from '../event-store.js';
import { backoffMs, pause } from '../pause.js';
import type { Log } from './log.js';
import type { Progress } from './progress.js';

const BACKOFF = { firstMs: 50, maxMs: 10_000 };

export type Followed = Readonly<{
  store: EventStore;
  /** Unique in its database; the checkpoint is kept under it. */
  name: string;
  /** Stream name prefixes with their dash. */
  prefixes: readonly string[];
  signal: AbortSignal;
  log: Log;
}>;

export type Reader = {
  /** Where to go on; drops whatever was in hand. */
  resume(): Promise<Position | null>;
  take(item: SubscriptionItem): Promise<void>;
  /** The subscription ended after the last item taken. */
  leave(): Promise<void>;
};

/**
 * Subscribes again and again, each time from where the reader is, until the signal aborts. Neither
 * the end of a subscription nor an error stops it; both are visible and slow it down.
 */
export async function follow(
  { store, name, prefixes, signal, log }: Followed,
  progress: Progress,
  reader: Reader,
): Promise<void> {
  const isOver = () => signal.aborted;
  while (!isOver()) {
    let error: unknown = new Error('The subscription ended.');
    try {
      const after = await reader.resume();
      progress.resume(after);
      for await (const item of store.subscribe({ after, prefixes, signal })) {
        await reader.take(item);
      }
      await reader.leave();
    } catch (thrown) {
      error = thrown;
    }
    progress.interrupt();
    if (isOver()) return;
    const failures = progress.fail(error);
    log.error({ err: error, reader: name, failures }, 'reading events failed and will be resumed');
    await pause(backoffMs(BACKOFF, failures), signal);
  }
}
