import { createRequire } from 'node:module';

type Queue = { readonly pending: readonly unknown[]; scheduleCheckPendingRequests: () => void };

let isCalm = false;

/**
 * kafkajs 2.2.4 sets a timer for a negative time whenever no request is waiting, of which Node 24
 * warns on the console. With nothing waiting there is nothing to look for.
 */
export function calmRequestQueue(): void {
  if (isCalm) return;
  isCalm = true;
  const load = createRequire(import.meta.url);
  const queue: unknown = load('kafkajs/src/network/requestQueue/index.js');
  if (typeof queue !== 'function' || !isQueue(queue.prototype)) return;
  const prototype = queue.prototype;
  const { scheduleCheckPendingRequests: schedule } = prototype;
  prototype.scheduleCheckPendingRequests = function scheduleCheckPendingRequests() {
    if (this.pending.length > 0) schedule.call(this);
  };
}

function isQueue(prototype: unknown): prototype is Queue {
  return (
    typeof prototype === 'object' &&
    prototype !== null &&
    'scheduleCheckPendingRequests' in prototype &&
    typeof prototype.scheduleCheckPendingRequests === 'function'
  );
}
