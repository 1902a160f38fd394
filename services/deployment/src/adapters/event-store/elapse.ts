import type { Timer } from '@patchtrail/event-store';
import { newTraceparent } from '@patchtrail/telemetry';
import { elapseTimer } from '../../application/elapse-timer.js';
import type { Streams } from '../../application/ports.js';

/** What a timer that is due does to the stream that scheduled it. */
export function elapseWith(streams: Streams, now: () => Date) {
  return (timer: Timer, commandId: string): Promise<void> => {
    const origin = { commandId, correlationId: commandId, causationId: commandId };
    const at = now().toISOString();
    const traceparent = newTraceparent();
    return elapseTimer(streams, timer, { ...origin, actor: 'service:deployment', at, traceparent });
  };
}
