import type { CloudEvent } from '@patchtrail/contracts';
import { type Database, type Lease, tryLease } from '@patchtrail/postgres';
import { type Bus, BusRefusal } from './bus.js';
import { causeOf } from './cause.js';
import type { Log } from './log.js';
import { backoffMs, pause } from './pause.js';

/** One batch in memory: at most this many rows, and no further row beyond this many bytes. */
const BATCH_ROWS_MAX = 200;
const BATCH_BYTES_MAX = 8 * 1_048_576;

/** Times in milliseconds. */
export type RelayPace = Readonly<{
  /** Between two looks at an empty outbox. */
  pollMs: number;
  /** Between two attempts to become the one publisher. */
  leaseMs: number;
  /** After a failure, doubling up to `retryMsMax`. */
  retryMs: number;
  retryMsMax: number;
}>;

const PACE: RelayPace = { pollMs: 100, leaseMs: 1_000, retryMs: 200, retryMsMax: 5_000 };

export type RelayOptions = Readonly<{
  db: Database;
  bus: Bus;
  signal: AbortSignal;
  log: Log;
  /** Of the lease: one relay per name and database publishes at a time. */
  name: string;
  pace?: Partial<RelayPace>;
}>;

type Relay = Omit<RelayOptions, 'pace'> & Readonly<{ pace: RelayPace }>;
type Entry = Readonly<{ number: string; topic: string; key: string; message: CloudEvent }>;

/**
 * Publishes the outbox in its order and deletes what the bus has acknowledged: duplicates after a
 * crash, never a gap. A message that the bus will never take is parked with its cause, and later
 * ones of its key stay behind it; every other key goes on.
 */
export function runOutboxRelay(options: RelayOptions): Readonly<{ done: Promise<void> }> {
  return { done: relay({ ...options, pace: { ...PACE, ...options.pace } }) };
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
  const lease = await tryLease(db.url, `outbox-relay/${name}`);
  if (lease === null) {
    await pause(pace.leaseMs, signal);
    return;
  }
  try {
    await relayWhileHeld(options, lease, succeeded);
  } finally {
    await lease.release();
  }
}

async function relayWhileHeld(options: Relay, lease: Lease, succeeded: () => void): Promise<void> {
  const stop = AbortSignal.any([options.signal, lease.lost]);
  while (!stop.aborted) {
    const entries = await nextEntries(options.db);
    await publishByTopic(options, entries, stop);
    succeeded();
    if (entries.length === 0) await pause(options.pace.pollMs, stop);
  }
}

async function publishByTopic(
  options: Relay,
  entries: readonly Entry[],
  stop: AbortSignal,
): Promise<void> {
  for (const topic of new Set(entries.map((entry) => entry.topic))) {
    if (stop.aborted) return;
    const batch = entries.filter((entry) => entry.topic === topic);
    await publish(options, topic, batch);
  }
}

/** The oldest entries that stand behind no parked one of their key. */
async function nextEntries(db: Database): Promise<readonly Entry[]> {
  return db.rows<Entry>(
    `SELECT number::text AS number, topic, key, message FROM (
       SELECT o.*, sum(octet_length(o.message::text)) OVER (ORDER BY o.number)
                   - octet_length(o.message::text) AS bytes_before
         FROM (SELECT * FROM outbox o WHERE NOT EXISTS (
                 SELECT 1 FROM outbox p
                  WHERE p.parked_cause IS NOT NULL
                    AND p.topic = o.topic AND p.key = o.key AND p.number <= o.number)
                ORDER BY number LIMIT $1) o) batch
      WHERE bytes_before < $2
      ORDER BY batch.number`,
    [BATCH_ROWS_MAX, BATCH_BYTES_MAX],
  );
}

async function publish(options: Relay, topic: string, batch: readonly Entry[]): Promise<void> {
  try {
    await options.bus.publish(
      topic,
      batch.map(({ message }) => message),
    );
    await remove(options.db, batch);
  } catch (error) {
    if (!isMessageFault(error)) throw error;
    await publishOneByOne(options, topic, batch);
  }
}

async function publishOneByOne(
  options: Relay,
  topic: string,
  batch: readonly Entry[],
): Promise<void> {
  const parkedKeys = new Set<string>();
  for (const entry of batch) {
    if (parkedKeys.has(entry.key)) continue;
    try {
      await options.bus.publish(topic, [entry.message]);
      await remove(options.db, [entry]);
    } catch (error) {
      if (!isMessageFault(error)) throw error;
      parkedKeys.add(entry.key);
      await park(options, entry, error);
    }
  }
}

function isMessageFault(error: unknown): error is BusRefusal {
  return error instanceof BusRefusal && error.isMessageFault;
}

async function park({ db, log }: Relay, entry: Entry, refusal: BusRefusal): Promise<void> {
  const { number, topic, key } = entry;
  await db.run('UPDATE outbox SET parked_cause = $2 WHERE number = $1', [number, causeOf(refusal)]);
  log.error({ number, topic, key, cause: refusal.message }, 'An outbox message is parked.');
}

async function remove(db: Database, entries: readonly Entry[]): Promise<void> {
  await db.run('DELETE FROM outbox WHERE number = ANY($1::bigint[])', [
    entries.map(({ number }) => number),
  ]);
}
