import type { Database } from '@patchtrail/postgres';
import type { StoredEvent } from '../event-store.js';
import type { Followed } from './follow.js';

export type ReactionOptions = Followed &
  Readonly<{
    db: Database;
    /** At least once per event: what it does must be harmless when done again. */
    react: (event: StoredEvent) => Promise<void>;
    /**
     * The same for up to a hundred events that wait together, at once. When it rejects, whatever it
     * has done, each of them comes to `react`.
     */
    reactTogether?: (events: readonly StoredEvent[]) => Promise<void>;
    /** Events of different lanes may be acted on at once, up to four; unless told, none may. */
    laneOf?: (event: StoredEvent) => string;
    /** What a failure of `react` says about the event; `unclear` unless told. */
    judge?: (error: unknown) => Judgement;
    /** The longest wait before another try, in milliseconds; 5,000 by default. */
    retryMsMax?: number;
  }>;

/**
 * `hopeless`: the event is parked at once, for it can never succeed. `outage`: it is not the event's
 * fault, and it is tried until it succeeds. `unclear`: parked after ten tries.
 */
export type Judgement = 'hopeless' | 'outage' | 'unclear';
