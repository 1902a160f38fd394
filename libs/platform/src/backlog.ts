import { parkedEventCount } from '@patchtrail/event-store';
import { parkedCount, type RelayLag } from '@patchtrail/messaging';
import type { ParkedSources } from './http/parked-items.js';
import type { ReadyCheck } from './service.js';

/**
 * What waits to be published, by its publisher, and what stands still until somebody acts. It is
 * shown with readiness and never denies it: requests can be served all the same.
 */
export async function backlogChecks(
  { db, streams }: Pick<ParkedSources, 'db' | 'streams'>,
  publishers: Readonly<Record<string, () => Promise<RelayLag>>> = {},
): Promise<readonly ReadyCheck[]> {
  const lags = Object.entries(publishers).map(async ([name, lagOf]) => {
    const { waiting, oldestAgeMs } = await lagOf();
    return shown(
      `${name}-lag`,
      `${String(waiting)} waiting, the oldest for ${String(oldestAgeMs)} ms`,
    );
  });
  const events =
    streams === undefined ? [] : [shown('parked-events', String(await parkedEventCount(db)))];
  const messages = shown('parked-messages', String(await parkedCount(db)));
  return [...(await Promise.all(lags)), messages, ...events];
}

function shown(name: string, detail: string): ReadyCheck {
  return { name, ok: true, detail };
}
