import type { Server } from './answers.js';
import { compareLogPositions, hasPassed, type LogPosition } from './log-position.js';
import { head, readLog } from './read.js';
import { placeOf, storedEventOf } from './recorded-event.js';

const LOOK_URGENT_MS = 25;
const LOOK_IDLE_MS = 500;
const QUIET_MS = { first: 20, max: 1_000 };
const STRETCH_COUNT = 256;

/**
 * Knows when a subscription has caught up. The server says so once, when it turns live, and tells
 * of what its filter leaves out only now and then. So the lookout looks at the newest record of the
 * log: whoever has come as far as that has everything that was there when it looked. Where the
 * records in between are those of others, nothing will arrive, and it reads past them itself; where
 * one of them should have arrived and does not, the subscription stands still.
 */
export type Lookout = Readonly<{
  /** The subscription has come to a place, by an event that it delivers or past foreign ones. */
  pass: (place: LogPosition, isOurs: boolean) => void;
  /** How far it has caught up, once for each time that it has; looks ahead now and then. */
  caughtUp: () => LogPosition | null;
  /** For how long to wait for something to arrive. */
  waitMs: () => number;
  /** Nothing arrived in that time: reads past what others wrote. Throws `Standstill`. */
  readPast: () => Promise<void>;
}>;

/** There is an event, and the subscription does not deliver it. */
export class Standstill extends Error {
  constructor(ms: number) {
    super(`The subscription has withheld an event for ${ms} ms.`);
    this.name = 'Standstill';
  }
}

type Options = Readonly<{
  server: Server;
  prefixes: readonly string[];
  start: LogPosition | null;
  /** Called when a look has ended. */
  wake: () => void;
}>;

export function createLookout({ server, prefixes, start, wake }: Options): Lookout {
  const looks = createLooks(server, wake);
  const patience = createPatience(server.limits.silenceMs);
  let at = start;
  let announced: LogPosition | null = null;
  /** Events were delivered since the last announcement. */
  let hasRun = true;

  return {
    pass: (place, isOurs) => {
      if (at === null || compareLogPositions(place, at) > 0) at = place;
      if (!isOurs) return;
      hasRun = true;
      patience.renew();
    },
    caughtUp: () => {
      const newest = looks.newest(hasRun);
      if (at === null || newest === null || !hasPassed(at, newest)) return null;
      looks.forget();
      hasRun = false;
      if (announced !== null && hasPassed(announced, at)) return null;
      announced = at;
      return at;
    },
    waitMs: () => looks.waitMs(hasRun) ?? patience.quietMs(),
    readPast: async () => {
      if (!looks.isAhead()) return;
      const { records } = await readLog(server, at, 'forwards', STRETCH_COUNT);
      if (records.length === 0) looks.forget();
      for (const recorded of records) {
        if (storedEventOf(recorded, prefixes) !== null) {
          patience.lose();
          return;
        }
        at = placeOf(recorded);
      }
      patience.renew();
    },
  };
}

type Looks = Readonly<{
  /** The newest record of the last look; where that is forgotten, `null`, and soon another look. */
  newest: (isUrgent: boolean) => LogPosition | null;
  forget: () => void;
  isAhead: () => boolean;
  /** Until the next look is due; `null` while one is under way or not forgotten. */
  waitMs: (isUrgent: boolean) => number | null;
}>;

function createLooks(server: Server, wake: () => void): Looks {
  let found: LogPosition | null = null;
  let failure: { error: unknown } | null = null;
  let isLooking = false;
  let lookedAt = -Infinity;

  const look = async () => {
    isLooking = true;
    lookedAt = Date.now();
    try {
      found = await head(server);
    } catch (error) {
      failure = { error };
    }
    isLooking = false;
    wake();
  };
  const dueInMs = (isUrgent: boolean) =>
    lookedAt + (isUrgent ? LOOK_URGENT_MS : LOOK_IDLE_MS) - Date.now();

  return {
    newest: (isUrgent) => {
      if (failure !== null) throw failure.error;
      if (found === null && !isLooking && dueInMs(isUrgent) <= 0) void look();
      return found;
    },
    forget: () => {
      found = null;
    },
    isAhead: () => found !== null,
    waitMs: (isUrgent) => (found === null && !isLooking ? Math.max(1, dueInMs(isUrgent)) : null),
  };
}

type Patience = Readonly<{
  /** How long nothing may arrive before somebody looks why. */
  quietMs: () => number;
  renew: () => void;
  /** An event is there that has not arrived. Throws `Standstill` when that goes on for too long. */
  lose: () => void;
}>;

function createPatience(silenceMs: number): Patience {
  let quietMs = QUIET_MS.first;
  let owedSince: number | null = null;
  return {
    quietMs: () => quietMs,
    renew: () => {
      owedSince = null;
      quietMs = QUIET_MS.first;
    },
    lose: () => {
      owedSince ??= Date.now();
      quietMs = Math.min(QUIET_MS.max, quietMs * 2);
      const owedMs = Date.now() - owedSince;
      if (owedMs >= silenceMs) throw new Standstill(owedMs);
    },
  };
}
