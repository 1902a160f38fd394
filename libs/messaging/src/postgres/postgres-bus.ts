import type { CloudEvent } from '@patchtrail/contracts';
import { Pool, type PoolClient } from 'pg';
import { type Bus, BusRefusal, type ConsumerOptions } from '../bus.js';
import type { Log } from '../log.js';
import { observedBus, type PartitionLag } from '../observed-bus.js';
import { partitionOf } from '../partition.js';
import { backoffMs, pause } from '../pause.js';
import {
  type Encoded,
  encodeMessages,
  refuseConsumer,
  refuseGroup,
  refuseTopic,
} from '../refuse.js';
import type { TopicPartition } from './assignment.js';
import { type Consumer, PACE, type Pace, runConsumer } from './consumer.js';
import { memberLock } from './membership.js';
import { type BusRetention, runRetention } from './retention.js';
import { CONNECTION_LIMITS, MESSAGES_CHANNEL } from './session.js';

const POOL_MAX = 4;

export type PostgresBusOptions = Readonly<{
  /** A database of its own with `busMigrations`, as a role with `busGrants`. */
  url: string;
  log?: Log;
  pace?: Partial<Pace>;
  /** For how long messages are kept. */
  retention?: BusRetention;
}>;

/** `close` stops every member of this bus, then disconnects. */
export type OpenBus = Bus & Readonly<{ close: () => Promise<void> }>;

/** The log in PostgreSQL. Each running member has one connection of its own beside the pool. */
export async function openPostgresBus(options: PostgresBusOptions): Promise<OpenBus> {
  const { url, log, retention = {} } = options;
  const pace = { ...PACE, ...options.pace };
  const pool = new Pool({
    connectionString: url,
    application_name: 'patchtrail-bus',
    max: POOL_MAX,
    ...CONNECTION_LIMITS,
  });
  pool.on('error', (error) => log?.warn({ err: error }, 'An idle bus connection was lost.'));
  await pool.query('SELECT 1');
  const closing = new AbortController();
  const running = new Set([runRetention(pool, retention, closing.signal, log)]);
  const run = async (consumer: ConsumerOptions) => {
    refuseConsumer(consumer);
    const signal = AbortSignal.any([consumer.signal, closing.signal]);
    const member = runMember(pool, { ...consumer, signal, url, pace, log });
    running.add(member);
    await member.finally(() => running.delete(member));
  };
  const bus: OpenBus = {
    ensureTopic: (topic, partitions) => ensureTopic(pool, topic, partitions),
    publish: (topic, messages) => publish(pool, topic, messages),
    run,
    lag: (group, topics) => lag(pool, group, topics),
    rewind: (group, topics) => rewind(pool, group, topics),
    close: async () => {
      closing.abort();
      await Promise.all(running);
      await pool.end();
    },
  };
  const lagsOf = (group: string, topics: readonly string[]) => lags(pool, group, topics);
  return observedBus(bus, { system: 'postgresql', lagsOf });
}

/** A member asks again while the database is away, when it joins as well as later. */
async function runMember(pool: Pool, member: Omit<Consumer, 'partitions'>): Promise<void> {
  const { signal, log, group, pace } = member;
  for (let failures = 1; !signal.aborted; failures += 1) {
    try {
      const partitions = await partitionsOf(pool, member.topics);
      await runConsumer({ ...member, partitions });
      return;
    } catch (error) {
      if (error instanceof BusRefusal) throw error;
      log?.warn({ err: error, group }, 'The bus is away; the member tries again to join.');
      await pause(backoffMs(failures, pace.reconnectMs, pace.reconnectMsMax), signal);
    }
  }
}

async function ensureTopic(pool: Pool, topic: string, partitions: number): Promise<void> {
  refuseTopic(topic, partitions);
  await pool.query('INSERT INTO topics VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    topic,
    partitions,
  ]);
  const there = await countPartitions(pool, topic);
  if (there !== partitions) {
    const rule = `topic ${topic} has ${String(there)} for ever, not ${String(partitions)}`;
    throw new BusRefusal('partitions-fixed', 'partitions', rule);
  }
}

async function countPartitions(pool: Pool, topic: string): Promise<number> {
  const { rows } = await pool.query<{ partitions: number }>(
    'SELECT partitions FROM topics WHERE name = $1',
    [topic],
  );
  const [found] = rows;
  if (found === undefined) {
    throw new BusRefusal('unknown-topic', 'topic', `${topic} must be created before it is used`);
  }
  return found.partitions;
}

async function partitionsOf(pool: Pool, topics: readonly string[]): Promise<TopicPartition[]> {
  if (topics.length === 0) throw new BusRefusal('unknown-topic', 'topics', 'at least one');
  const all: TopicPartition[] = [];
  for (const topic of new Set(topics)) {
    const count = await countPartitions(pool, topic);
    for (let partition = 0; partition < count; partition += 1) all.push({ topic, partition });
  }
  return all;
}

/** One transaction per call, which is more than the port promises. */
async function publish(pool: Pool, topic: string, messages: readonly CloudEvent[]): Promise<void> {
  const encoded = encodeMessages(messages);
  const count = await countPartitions(pool, topic);
  if (encoded.length === 0) return;
  await inTransaction(pool, (client) => append(client, topic, encoded, count));
}

async function append(
  client: PoolClient,
  topic: string,
  encoded: readonly Encoded[],
  count: number,
): Promise<void> {
  const partitions = encoded.map(({ key }) => partitionOf(key, count));
  // Held until the commit, so offsets become visible in their order. Locked in one order by
  // everybody, and before the insert takes the snapshot that tells the last offset.
  await client.query(
    `SELECT pg_advisory_xact_lock(hashtextextended('bus/publish/' || $1 || '/' || p.partition, 0))
       FROM (SELECT DISTINCT partition FROM unnest($2::int[]) u(partition) ORDER BY partition) p`,
    [topic, partitions],
  );
  await client.query(
    `INSERT INTO messages (topic, partition, "offset", key, attributes, data)
     SELECT $1, i.partition,
            (SELECT coalesce(max(m."offset") + 1, 0) FROM messages m
              WHERE m.topic = $1 AND m.partition = i.partition)
              + row_number() OVER (PARTITION BY i.partition ORDER BY i.ordinal) - 1,
            i.key, i.attributes::json, i.data::json
       FROM unnest($2::int[], $3::text[], $4::text[], $5::text[])
            WITH ORDINALITY AS i(partition, key, attributes, data, ordinal)`,
    [
      topic,
      partitions,
      encoded.map(({ key }) => key),
      encoded.map(({ attributes }) => attributes),
      encoded.map(({ data }) => data),
    ],
  );
  await client.query('SELECT pg_notify($1, $2)', [MESSAGES_CHANNEL, topic]);
}

async function lag(pool: Pool, group: string, topics: readonly string[]): Promise<bigint> {
  return (await lags(pool, group, topics)).reduce((sum, { lag: one }) => sum + one, 0n);
}

async function lags(
  pool: Pool,
  group: string,
  topics: readonly string[],
): Promise<readonly PartitionLag[]> {
  const partitions = await partitionsOf(pool, topics);
  const { rows } = await pool.query<{ topic: string; partition: number; lag: string }>(
    `SELECT p.topic, p.partition, (coalesce(
              (SELECT max(m."offset") + 1 FROM messages m
                WHERE m.topic = p.topic AND m.partition = p.partition), 0)
            - greatest(o.committed, coalesce(
                (SELECT min(m."offset") FROM messages m
                  WHERE m.topic = p.topic AND m.partition = p.partition), 0)))::text AS lag
       FROM unnest($2::text[], $3::int[]) p(topic, partition)
       LEFT JOIN group_offsets o
         ON o.consumer_group = $1 AND o.topic = p.topic AND o.partition = p.partition`,
    [group, partitions.map(({ topic }) => topic), partitions.map(({ partition }) => partition)],
  );
  return rows.map((row) => ({ ...row, lag: BigInt(row.lag) }));
}

async function rewind(pool: Pool, group: string, topics: readonly string[]): Promise<void> {
  refuseGroup(group);
  await partitionsOf(pool, topics);
  await inTransaction(pool, async (client) => {
    // Members hold it shared; who joins meanwhile waits until the offsets are back.
    const { rows } = await client.query<{ free: boolean }>(
      `SELECT bool_and(pg_try_advisory_xact_lock(${memberLock('$1', 't.topic')})) AS free
         FROM unnest($2::text[]) t(topic)`,
      [group, topics],
    );
    if (rows[0]?.free !== true) {
      throw new BusRefusal('group-running', 'group', `${group} must have no running members`);
    }
    await client.query(
      'UPDATE group_offsets SET committed = 0 WHERE consumer_group = $1 AND topic = ANY($2)',
      [group, topics],
    );
  });
}

async function inTransaction(pool: Pool, work: (client: PoolClient) => Promise<void>) {
  const client = await pool.connect();
  let broken = false;
  // A connection in use that is lost ends the process unless somebody listens.
  const ignore = () => undefined;
  client.on('error', ignore);
  try {
    await client.query('BEGIN');
    await work(client);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => (broken = true));
    throw error;
  } finally {
    client.release(broken);
    client.off('error', ignore);
  }
}
