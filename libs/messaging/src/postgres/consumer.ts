import type { CloudEvent } from '@patchtrail/contracts';
import { AT_ONCE, type ConsumerOptions, type Delivery } from '../bus.js';
import { handleInLanes } from '../lanes.js';
import type { Log } from '../log.js';
import { backoffMs, pause } from '../pause.js';
import { type Alarm, createAlarm } from './alarm.js';
import type { TopicPartition } from './assignment.js';
import { join, type Membership, nameOf } from './membership.js';
import { MEMBERS_CHANNEL, openSession, type Session } from './session.js';

/** Times in milliseconds. */
export type Pace = Readonly<{
  /** Look for messages at least this often; a hint comes sooner. */
  pollMs: number;
  /** Look for other members at least this often; a hint comes sooner. */
  rebalanceMs: number;
  /** Between a handler's failure and the same delivery again. */
  redeliveryMs: number;
  /** After a lost connection, doubling up to `reconnectMsMax`. */
  reconnectMs: number;
  reconnectMsMax: number;
  /** A member that is silent for longer, in its handler or for good, loses its partitions. */
  silenceMs: number;
}>;

export const PACE: Pace = {
  pollMs: 1_000,
  rebalanceMs: 1_000,
  redeliveryMs: 500,
  reconnectMs: 100,
  reconnectMsMax: 5_000,
  silenceMs: 300_000,
};

/** Fetched at once: bounds the memory, at 1 MiB a message, and the time between two rebalances. */
const FETCH_MAX = 64;

/** `notBefore` is 0 unless the partition pauses. */
type Held = TopicPartition & { next: bigint; notBefore: number };

export type Consumer = ConsumerOptions &
  Readonly<{
    url: string;
    partitions: readonly TopicPartition[];
    pace: Pace;
    log: Log | undefined;
  }>;

/** Is a member until the signal aborts; comes back by itself after a lost connection. */
export async function runConsumer(consumer: Consumer): Promise<void> {
  const { signal, log, group, pace } = consumer;
  let failures = 0;
  while (!signal.aborted) {
    try {
      await runSession(consumer, () => (failures = 0));
    } catch (error) {
      failures += 1;
      log?.warn({ err: error, group }, 'The bus connection was lost; the member joins again.');
      await pause(backoffMs(failures, pace.reconnectMs, pace.reconnectMsMax), signal);
    }
  }
}

async function runSession(consumer: Consumer, joined: () => void): Promise<void> {
  const alarm = createAlarm();
  let membersChanged = true;
  const { url, group, pace } = consumer;
  const session = await openSession(url, pace.silenceMs, ({ channel, payload }) => {
    if (channel === MEMBERS_CHANNEL && payload === group) membersChanged = true;
    alarm.ring();
  });
  try {
    const membership = await join(session, group, consumer.partitions);
    joined();
    const takeHint = () => {
      const hinted = membersChanged;
      membersChanged = false;
      return hinted;
    };
    await work(consumer, session, membership, alarm, takeHint);
    await membership.leave();
  } finally {
    await session.close();
  }
}

async function work(
  consumer: Consumer,
  session: Session,
  membership: Membership,
  alarm: Alarm,
  takeHint: () => boolean,
): Promise<void> {
  const { signal, pace } = consumer;
  const stop = AbortSignal.any([signal, session.lost]);
  const held = new Map<string, Held>();
  let rebalanceAt = 0;
  while (!stop.aborted) {
    if (takeHint() || performance.now() >= rebalanceAt) {
      await rebalance(membership, held);
      rebalanceAt = performance.now() + pace.rebalanceMs;
    }
    const deliveries = await fetch(session, held);
    await deliver(consumer, session, held, deliveries, stop);
    if (deliveries.length === 0) await alarm.wait(idleMs(held, pace), stop);
  }
  if (!signal.aborted) session.lost.throwIfAborted();
}

async function rebalance(membership: Membership, held: Map<string, Held>): Promise<void> {
  const { released, taken } = await membership.rebalance();
  for (const each of released) held.delete(nameOf(each));
  for (const { topic, partition, committed } of taken) {
    held.set(nameOf({ topic, partition }), { topic, partition, next: committed, notBefore: 0 });
  }
}

type Row = { topic: string; partition: number; offset: string; attributes: object; data: unknown };

/** The next messages of every partition that is not pausing after a failure. */
async function fetch(session: Session, held: ReadonlyMap<string, Held>): Promise<Delivery[]> {
  const ready = [...held.values()].filter(({ notBefore }) => notBefore <= performance.now());
  for (const each of ready) each.notBefore = 0;
  if (ready.length === 0) return [];
  const rows = await session.rows<Row>(
    `SELECT m.topic, m.partition, m."offset"::text AS "offset", m.attributes, m.data
       FROM unnest($1::text[], $2::int[], $3::bigint[]) p(topic, partition, next)
      CROSS JOIN LATERAL (
        SELECT * FROM messages m
         WHERE m.topic = p.topic AND m.partition = p.partition AND m."offset" >= p.next
         ORDER BY m."offset" LIMIT $4) m
      ORDER BY m.topic, m.partition, m."offset"`,
    [
      ready.map(({ topic }) => topic),
      ready.map(({ partition }) => partition),
      ready.map(({ next }) => String(next)),
      Math.max(1, Math.floor(FETCH_MAX / ready.length)),
    ],
  );
  return rows.map(({ topic, partition, offset, attributes, data }) => ({
    topic,
    partition,
    offset: BigInt(offset),
    // Checked when it was published, and nobody can have changed it since.
    message: { ...attributes, data } as CloudEvent,
  }));
}

async function deliver(
  consumer: Consumer,
  session: Session,
  held: ReadonlyMap<string, Held>,
  deliveries: readonly Delivery[],
  stop: AbortSignal,
): Promise<void> {
  await handleInLanes({
    deliveries,
    atOnce: consumer.atOnce ?? AT_ONCE,
    isOver: () => stop.aborted,
    handle: (delivery) => isHandled(consumer, held, delivery),
    settled: async (delivery) => {
      await commit(session, consumer.group, delivery);
      const from = held.get(nameOf(delivery));
      if (from !== undefined) from.next = delivery.offset + 1n;
    },
  });
}

/** If not, its partition pauses. */
async function isHandled(
  consumer: Consumer,
  held: ReadonlyMap<string, Held>,
  delivery: Delivery,
): Promise<boolean> {
  try {
    await consumer.handle(delivery);
    return true;
  } catch (error) {
    const { topic, partition, offset } = delivery;
    const where = { group: consumer.group, topic, partition, offset: String(offset) };
    consumer.log?.warn({ err: error, ...where }, 'A delivery failed and will come again.');
    const from = held.get(nameOf(delivery));
    if (from !== undefined) from.notBefore = performance.now() + consumer.pace.redeliveryMs;
    return false;
  }
}

/** Over the session that holds the partition: who has lost it cannot commit. */
async function commit(session: Session, group: string, delivery: Delivery): Promise<void> {
  await session.rows(
    `INSERT INTO group_offsets (consumer_group, topic, partition, committed)
     VALUES ($1, $2, $3, $4)
     ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET committed = excluded.committed`,
    [group, delivery.topic, delivery.partition, String(delivery.offset + 1n)],
  );
}

function idleMs(held: ReadonlyMap<string, Held>, pace: Pace): number {
  let ms = Math.min(pace.pollMs, pace.rebalanceMs);
  for (const { notBefore } of held.values()) {
    if (notBefore > 0) ms = Math.min(ms, Math.max(1, notBefore - performance.now()));
  }
  return ms;
}
