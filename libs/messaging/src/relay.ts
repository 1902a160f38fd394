import { type Database, type FencedLease, type Sql, tryFencedLease } from '@patchtrail/postgres';
import { type Bus, BusRefusal } from './bus.js';
import type { Log } from './log.js';
import { observeOutbox } from './observed-messages.js';
import { type Entry, nextEntries, parkEntry, removeEntries } from './outbox.js';
import { backoffMs, pause } from './pause.js';

/** Times in milliseconds. */
export type RelayPace = Readonly<{
  /** Between two looks at an empty outbox. */
  pollMs: number;
  /** Between two attempts to become the one publisher. */
  leaseMs: number;
  /** A publisher that is silent for longer, a paused process for instance, is replaced. */
  silenceMs: number;
  /** After a failure, doubling up to `retryMsMax`. */
  retryMs: number;
  retryMsMax: number;
}>;

const PACE: RelayPace = {
  pollMs: 100,
  leaseMs: 1_000,
  silenceMs: 20_000,
  retryMs: 200,
  retryMsMax: 5_000,
};

export type RelayOptions = Readonly<{
  db: Database;
  bus: Pick<Bus, 'publish'>;
  signal: AbortSignal;
  log: Log;
  /** Of the lease: one relay per name and database publishes at a time. */
  name: string;
  pace?: Partial<RelayPace>;
}>;

type Relay = Omit<RelayOptions, 'pace'> & Readonly<{ pace: RelayPace }>;

/** The relay while it is the one publisher. */
type Publisher = Relay & Readonly<{ lease: FencedLease }>;

/**
 * Publishes the outbox in its order and deletes what the bus has acknowledged: duplicates after a
 * crash, never a gap. One relay publishes at a time; one that was replaced without knowing it can
 * neither delete nor park. A message that the bus will never take is parked with its cause, and
 * later ones of its key stay behind it; every other key goes on.
 */
export function runOutboxRelay(options: RelayOptions): Readonly<{ done: Promise<void> }> {
  const forget = observeOutbox(options.db, options.name);
  const done = relay({ ...options, pace: { ...PACE, ...options.pace } });
  return { done: done.finally(forget) };
}

async function relay(options: Relay): Promise<void> {
  const { signal, log, name, pace } = options;
  let failures = 0;
  while (!signal.aborted) {
    try {
      await relayUnderLease(options, () => (failures = 0));
    } catch (error) {
      failures += 1;
      log.error({ err: error, relay: name, failures }, 'The outbox relay failed and tries again.');
      await pause(backoffMs(failures, pace.retryMs, pace.retryMsMax), signal);
    }
  }
}

async function relayUnderLease(options: Relay, succeeded: () => void): Promise<void> {
  const { db, signal, name, pace } = options;
  const lease = await tryFencedLease(db.url, `outbox-relay/${name}`, pace.silenceMs);
  if (lease === null) {
    await pause(pace.leaseMs, signal);
    return;
  }
  try {
    await relayWhileHeld({ ...options, lease }, succeeded);
  } finally {
    await lease.release();
  }
}

async function relayWhileHeld(publisher: Publisher, succeeded: () => void): Promise<void> {
  const stop = AbortSignal.any([publisher.signal, publisher.lease.lost]);
  while (!stop.aborted) {
    const entries = await nextEntries(publisher.db);
    await publishByTopic(publisher, entries, stop);
    succeeded();
    if (entries.length === 0) await pause(publisher.pace.pollMs, stop);
  }
}

async function publishByTopic(
  publisher: Publisher,
  entries: readonly Entry[],
  stop: AbortSignal,
): Promise<void> {
  for (const topic of new Set(entries.map((entry) => entry.topic))) {
    if (stop.aborted) return;
    const batch = entries.filter((entry) => entry.topic === topic);
    await publish(publisher, topic, batch);
  }
}

async function publish(
  publisher: Publisher,
  topic: string,
  batch: readonly Entry[],
): Promise<void> {
  try {
    await publisher.bus.publish(
      topic,
      batch.map(({ message }) => message),
    );
  } catch (error) {
    if (!isMessageFault(error)) throw error;
    await publishOneByOne(publisher, topic, batch);
    return;
  }
  await fenced(publisher, (tx) => removeEntries(tx, batch));
}

async function publishOneByOne(
  publisher: Publisher,
  topic: string,
  batch: readonly Entry[],
): Promise<void> {
  const parkedKeys = new Set<string>();
  for (const entry of batch) {
    if (parkedKeys.has(entry.key)) continue;
    try {
      await publisher.bus.publish(topic, [entry.message]);
    } catch (error) {
      if (!isMessageFault(error)) throw error;
      parkedKeys.add(entry.key);
      await park(publisher, entry, error);
      continue;
    }
    await fenced(publisher, (tx) => removeEntries(tx, [entry]));
  }
}

function isMessageFault(error: unknown): error is BusRefusal {
  return error instanceof BusRefusal && error.isMessageFault;
}

async function park(publisher: Publisher, entry: Entry, refusal: BusRefusal): Promise<void> {
  const { number, topic, key } = entry;
  await fenced(publisher, (tx) => parkEntry(tx, entry, refusal));
  publisher.log.error({ number, topic, key, err: refusal }, 'An outbox message is parked.');
}

/** Writes only while this relay is the publisher. @throws LeaseSuperseded */
async function fenced({ db, lease }: Publisher, write: (tx: Sql) => Promise<void>): Promise<void> {
  await db.transaction(async (tx) => {
    await lease.hold(tx);
    await write(tx);
  });
}
