import { checkPrefixes } from '../check-append.js';
import type { SubscribeOptions, SubscriptionItem } from '../event-store.js';
import type { Log } from '../follow/log.js';
import { mayPass, type Server } from './answers.js';
import { type Feed, type Notice, openFeed } from './feed.js';
import { logPositionOf, positionOf } from './log-position.js';
import { createLookout, type Lookout, Standstill } from './lookout.js';
import { placeOf, storedEventOf } from './recorded-event.js';

type Reading = Readonly<{
  feed: Feed;
  lookout: Lookout;
  prefixes: readonly string[];
  isOver: () => boolean;
}>;

/**
 * Catch-up, then live. Every end of the client's subscription is a drop, with an error or without:
 * this one ends too, without an error where resuming may help, and its reader resumes it.
 */
export async function* subscribe(
  server: Server,
  log: Log,
  { after, prefixes, signal }: SubscribeOptions,
): AsyncGenerator<SubscriptionItem> {
  checkPrefixes(prefixes);
  const start = after === null ? null : logPositionOf(after);
  const stop = AbortSignal.any([signal, server.closing]);
  const isOver = () => stop.aborted;
  if (isOver()) return;
  const feed = openFeed(server.client, prefixes, start);
  const lookout = createLookout({ server, prefixes, start, wake: feed.wake });
  stop.addEventListener('abort', feed.wake);
  try {
    yield* itemsOf({ feed, lookout, prefixes, isOver });
    if (!isOver()) log.warn({ prefixes }, 'the event store ended a subscription');
  } catch (error) {
    if (isOver()) return;
    if (!mayPass(error) && !(error instanceof Standstill)) throw error;
    log.warn({ err: error, prefixes }, 'the event store dropped a subscription');
  } finally {
    stop.removeEventListener('abort', feed.wake);
    feed.close();
  }
}

async function* itemsOf(reading: Reading): AsyncGenerator<SubscriptionItem> {
  const { feed, lookout, isOver } = reading;
  while (!isOver()) {
    const notice = feed.take();
    const item = notice === null ? null : itemOf(reading, notice);
    if (item !== null) yield item;
    if (isOver()) return;
    const caughtUp = lookout.caughtUp();
    if (caughtUp !== null) yield { kind: 'caught-up', position: positionOf(caughtUp) };
    else if (notice === null && feed.isOver()) break;
    else if (notice === null) await somethingFrom(reading);
  }
  const error = feed.error();
  if (error !== null) throw error;
}

function itemOf({ lookout, prefixes }: Reading, notice: Notice): SubscriptionItem | null {
  if (notice.kind === 'checkpoint') {
    lookout.pass(notice.place, false);
    return null;
  }
  const place = placeOf(notice.recorded);
  const event = storedEventOf(notice.recorded, prefixes);
  lookout.pass(place, event !== null);
  return event === null ? null : { kind: 'event', event };
}

async function somethingFrom({ feed, lookout }: Reading): Promise<void> {
  const waitMs = lookout.waitMs();
  const hasArrived = await feed.arrival(waitMs);
  if (!hasArrived) await lookout.readPast();
}
