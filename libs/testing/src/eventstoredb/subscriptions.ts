import { randomUUID } from 'node:crypto';
import { BATCH_SIZE, type Filter } from './filter.js';
import { type Log, type Recorded } from './log.js';
import type { Node, OpenCall } from './node.js';
import type { Outlet } from './outlet.js';
import {
  caughtUpMessage,
  checkpointMessage,
  confirmationMessage,
  eventMessage,
  NOWHERE,
  type Refusal,
  refusals,
} from './wire.js';

export type Subscription = {
  /** Null for $all. */
  readonly stream: string | null;
  /** Position that the first event must lie behind; -1 for the start. */
  readonly from: number;
  readonly matches: (event: Recorded) => boolean;
  /** With a filter come checkpoints. */
  readonly filter: Filter | null;
};

/** How far one subscription has come. */
type Cursor = {
  /** Index in the log of the next event to look at. */
  index: number;
  /** Position of what was told last; -1 before that. */
  checkpoint: number;
  /** Position of the last checkpoint that was sent. */
  sent: number;
};

/**
 * Confirmed, caught up, live; back to catching up when the reader is more than a batch behind. As in
 * https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Services/Transport/Enumerators/Enumerator.AllSubscriptionFiltered.cs
 * and its neighbours. Falling behind is not told there ("currently not sent to clients" in
 * Streams.Read.cs up to v26.1.0 at least), only having caught up again.
 */
export async function subscribe(
  node: Node,
  outlet: Outlet,
  subscription: Subscription,
): Promise<void> {
  const call: OpenCall = {
    kind: 'subscription',
    end: () => outlet.end(),
    send: (message) => outlet.write(message),
  };
  node.open.add(call);
  outlet.onClose(() => node.open.delete(call));

  const { log, dialect } = node;
  const { from } = subscription;
  const cursor: Cursor = { index: log.indexAt(from + 1), checkpoint: from, sent: -1 };
  outlet.write(confirmationMessage(randomUUID()));
  const behind = cursor.index < log.all.length;
  const problem = problemOf(log, subscription, behind);
  if (problem !== null) {
    outlet.fail(problem);
    return;
  }
  if (behind) await catchUp(node, outlet, subscription, cursor);
  while (!outlet.closed) {
    if (dialect.tellsCaughtUp) outlet.write(caughtUpMessage());
    await live(node, outlet, subscription, cursor);
    if (dialect.dropsSlowConsumers) {
      outlet.fail(refusals.timeout(TOO_SLOW));
      return;
    }
    if (subscription.filter !== null) sendCheckpoint(outlet, cursor);
    await catchUp(node, outlet, subscription, cursor);
  }
}

function problemOf(log: Log, { from, stream }: Subscription, behind: boolean): Refusal | null {
  if (behind && from >= 0 && !log.isBoundary(from))
    return refusals.invalidArgument('Trying to read from an invalid position.');
  return stream !== null && log.isTombstoned(stream) ? refusals.streamDeleted(stream) : null;
}

// https://github.com/EventStore/EventStore/blob/oss-v22.10.5/src/EventStore.Core/Services/Transport/Grpc/Enumerators.AllSubscription.cs
const TOO_SLOW = 'Consumer too slow to handle event while live. Client resubscription required.';

async function catchUp(
  node: Node,
  outlet: Outlet,
  subscription: Subscription,
  cursor: Cursor,
): Promise<void> {
  let considered = 0;
  for (;;) {
    const start = node.log.all[cursor.index]?.position ?? node.log.end();
    const page = await sendPage(node.log, outlet, subscription, cursor);
    if (outlet.closed) return;
    considered += page.considered;
    if (subscription.filter !== null)
      considered = checkpointAfter(node, outlet, cursor, subscription.filter, {
        ...page,
        considered,
        start: cursor.checkpoint < 0 ? 0 : start,
      });
    if (page.isEnd) return;
  }
}

/** Up to 24.10.4 the cursor moved without a match only where a checkpoint was due anyway. */
function checkpointAfter(
  { dialect }: Node,
  outlet: Outlet,
  cursor: Cursor,
  { checkpointEvery }: Filter,
  page: Page & { readonly start: number },
): number {
  const isDue = page.considered >= checkpointEvery && !page.isEnd;
  if (isDue || (!dialect.sendsInvalidCheckpoint && page.considered > 0))
    cursor.checkpoint = Math.max(cursor.checkpoint, page.start);
  if (isDue || page.isEnd) sendCheckpoint(outlet, cursor);
  return isDue ? page.considered % checkpointEvery : page.considered;
}

type Page = { readonly considered: number; readonly isEnd: boolean };

async function sendPage(
  log: Log,
  outlet: Outlet,
  subscription: Subscription,
  cursor: Cursor,
): Promise<Page> {
  const window = subscription.filter?.window ?? BATCH_SIZE;
  let considered = 0;
  let matched = 0;
  while (matched < BATCH_SIZE && considered < window && !outlet.closed) {
    const event = log.all[cursor.index];
    if (event === undefined) return { considered, isEnd: true };
    cursor.index += 1;
    considered += 1;
    if (!subscription.matches(event)) continue;
    matched += 1;
    if (!sendEvent(outlet, subscription, cursor, event)) await outlet.drained();
  }
  return { considered, isEnd: false };
}

/** Returns when the reader is more than a batch of matching events behind, or gone. */
async function live(
  node: Node,
  outlet: Outlet,
  subscription: Subscription,
  cursor: Cursor,
): Promise<void> {
  const { log, faults } = node;
  const { filter } = subscription;
  let considered = 0;
  while (!outlet.closed) {
    const event = faults.eventsWithheld ? undefined : log.all[cursor.index];
    if (event === undefined) {
      await nextWrite(log, outlet);
      await faults.delay();
      continue;
    }
    cursor.index += 1;
    considered += 1;
    const room = !subscription.matches(event) || sendEvent(outlet, subscription, cursor, event);
    if (filter !== null && considered >= filter.checkpointEvery) {
      considered = 0;
      cursor.checkpoint = event.position;
      sendCheckpoint(outlet, cursor);
    }
    if (room) continue;
    await outlet.drained();
    if (isFarBehind(log, subscription, cursor)) return;
  }
}

function nextWrite(log: Log, outlet: Outlet): Promise<void> {
  return new Promise((resolve) => {
    const stop = log.onWrite(done);
    outlet.onClose(done);
    function done(): void {
      stop();
      resolve();
    }
  });
}

function isFarBehind(log: Log, { matches }: Subscription, { index }: Cursor): boolean {
  let waiting = 0;
  for (let next = index; next < log.all.length; next += 1) {
    const event = log.all[next];
    if (event !== undefined && matches(event)) waiting += 1;
    if (waiting > BATCH_SIZE) return true;
  }
  return false;
}

/** False when the reader is behind. The tombstone of a stream is the last that is sent of it. */
function sendEvent(
  outlet: Outlet,
  { stream }: Subscription,
  cursor: Cursor,
  event: Recorded,
): boolean {
  const room = outlet.write(eventMessage(event));
  cursor.checkpoint = event.position;
  if (stream !== null && event.type === '$streamDeleted')
    outlet.fail(refusals.streamDeleted(stream));
  return room;
}

function sendCheckpoint(outlet: Outlet, cursor: Cursor): void {
  const position = cursor.checkpoint;
  if (cursor.sent >= 0 && position <= cursor.sent) return;
  cursor.sent = position;
  outlet.write(checkpointMessage(position < 0 ? NOWHERE : String(position)));
}
