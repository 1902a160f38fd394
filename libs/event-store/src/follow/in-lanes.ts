import type { StoredEvent } from '../event-store.js';
import { isParking, type Outcome } from './outcome.js';
import type { ReactionOptions } from './reaction-options.js';

const LANES_MAX = 4;

/** Each lane in its order up to what is to be parked; waits for all before it rejects. */
export async function inLanes(
  { laneOf, signal }: ReactionOptions,
  events: readonly StoredEvent[],
  attempt: (event: StoredEvent) => Promise<Outcome>,
): Promise<ReadonlyMap<StoredEvent, Outcome>> {
  const outcomes = new Map<StoredEvent, Outcome>();
  if (laneOf === undefined || events.length < 2) return outcomes;
  const lanes = [...new Set(events.map(laneOf))];
  const work = async () => {
    for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift()) {
      for (const event of events) {
        if (laneOf(event) !== lane) continue;
        if (signal.aborted) return;
        const outcome = await attempt(event);
        outcomes.set(event, outcome);
        if (isParking(outcome)) break;
      }
    }
  };
  const workers = Array.from({ length: LANES_MAX }, work);
  await Promise.allSettled(workers);
  await Promise.all(workers);
  return outcomes;
}
