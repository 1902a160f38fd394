import type { Timer } from '@patchtrail/event-store';
import { newTraceparent } from '@patchtrail/telemetry';
import { expireRequest } from '../../application/decide-request.js';
import type { RequestStream } from '../../application/ports.js';

const ACTOR = 'service:approval';

/** What a timer that is due does to the request that scheduled it. */
export function expireWith(requests: RequestStream, now: () => Date) {
  return async ({ stream, ...timer }: Timer, commandId: string): Promise<void> => {
    await expireRequest(requests, stream, timer, {
      commandId,
      correlationId: commandId,
      causationId: commandId,
      actor: ACTOR,
      at: now().toISOString(),
      traceparent: newTraceparent(),
    });
  };
}
