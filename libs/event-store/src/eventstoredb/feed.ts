import { type AllStreamResolvedEvent, type Filter, streamNameFilter } from '@eventstore/db-client';
import type { LeaderClient } from './leader-client.js';
import { isPlace, type LogPosition } from './log-position.js';
import type { Recorded } from './recorded-event.js';

/** What the server tells a subscriber: an event, or how far it has looked without finding one. */
export type Notice =
  | Readonly<{ kind: 'event'; recorded: Recorded }>
  | Readonly<{ kind: 'checkpoint'; place: LogPosition }>;

/** A subscription of the client behind a small bounded buffer, which can also be looked into. */
export type Feed = Readonly<{
  /** The next notice that has arrived; `null` while there is none. */
  take: () => Notice | null;
  /** The subscription has ended and everything of it was taken. */
  isOver: () => boolean;
  /** Why it ended; `null` after a clean end, which is a drop like any other. */
  error: () => Error | null;
  /** Resolves when something arrives, it ends or it is woken; with `false` if not within `ms`. */
  arrival: (ms: number) => Promise<boolean>;
  wake: () => void;
  close: () => void;
}>;

const BUFFER_SIZE = 64;
/** Times 32 records that the filter left out. */
const CHECKPOINT_INTERVAL = 8;
/** Streams of the server itself begin with a dollar sign. */
const NOT_THE_SERVERS = '^[^\\$]';

export function openFeed(
  client: LeaderClient,
  prefixes: readonly string[],
  after: LogPosition | null,
): Feed {
  const subscription = client.subscribeToAll({
    fromPosition: after ?? 'start',
    filter: filterFor(prefixes),
    requiresLeader: true,
  });
  // An error without a listener would end the process, and one may come after the last reader left.
  subscription.on('error', () => undefined);

  const buffer: Notice[] = [];
  const bell = createBell();
  const room = createBell();
  let isDone = false;
  let isClosed = false;
  let failure: Error | null = null;

  const pump = async () => {
    try {
      for await (const item of subscription) {
        const notice = noticeOf(item);
        if (notice !== null) buffer.push(notice);
        bell.ring();
        while (buffer.length >= BUFFER_SIZE && !isClosed) await room.rung();
        if (isClosed) break;
      }
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    }
    isDone = true;
    bell.ring();
  };
  void pump();

  return {
    take: () => {
      const notice = buffer.shift() ?? null;
      room.ring();
      return notice;
    },
    isOver: () => isDone && buffer.length === 0,
    error: () => failure,
    arrival: (ms) => (isDone || buffer.length > 0 ? Promise.resolve(true) : bell.rung(ms)),
    wake: bell.ring,
    close: () => {
      isClosed = true;
      room.ring();
      bell.ring();
      subscription.unsubscribe().catch(() => undefined);
      subscription.destroy();
    },
  };
}

class Checkpoint {
  constructor(readonly place: LogPosition) {}
}

function filterFor(prefixes: readonly string[]): Filter {
  const options = {
    checkpointInterval: CHECKPOINT_INTERVAL,
    // Into the stream of events, so that it is met in their order, by the loop that reads them. An
    // error thrown here would leave the subscription standing still for ever.
    checkpointReached: (
      subscription: { push: (item: unknown) => unknown },
      place: LogPosition,
    ): void => {
      if (isPlace(place)) subscription.push(new Checkpoint(place));
    },
  };
  return prefixes.length === 0
    ? streamNameFilter({ ...options, regex: NOT_THE_SERVERS })
    : streamNameFilter({ ...options, prefixes: [...prefixes] });
}

function noticeOf(item: AllStreamResolvedEvent | Checkpoint): Notice | null {
  if (item instanceof Checkpoint) return { kind: 'checkpoint', place: item.place };
  return item.event === undefined ? null : { kind: 'event', recorded: item.event };
}

type Bell = Readonly<{
  ring: () => void;
  /** Resolves with the next ring; with `false` if there is none within `ms`. */
  rung: (ms?: number) => Promise<boolean>;
}>;

/** Wakes whoever waits for it. A ring that nobody waits for is not kept. */
function createBell(): Bell {
  const waiting = new Set<(isRung: boolean) => void>();
  return {
    ring: () => {
      for (const wake of [...waiting]) wake(true);
    },
    rung: (ms) =>
      new Promise((resolve) => {
        const wake = (isRung: boolean) => {
          clearTimeout(timer);
          waiting.delete(wake);
          resolve(isRung);
        };
        const timer = ms === undefined ? undefined : setTimeout(wake, ms, false);
        waiting.add(wake);
      }),
  };
}
