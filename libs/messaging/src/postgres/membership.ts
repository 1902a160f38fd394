import { assignPartitions, type Member, type TopicPartition } from './assignment.js';
import { MEMBERS_CHANNEL, type Session } from './session.js';

/** 64-bit key of an advisory lock, as SQL over the text `$n` names. */
const lockKey = (text: string) => `hashtextextended(${text}, 0)`;
export const memberLock = (group: string, topic: string) =>
  lockKey(`'bus/member/' || ${group} || '/' || ${topic}`);
const ownerLock = (group: string, topic: string, partition: string) =>
  lockKey(`'bus/owner/' || ${group} || '/' || ${topic} || '/' || ${partition}`);

/** Partitions that a member holds, by advisory locks of its session. */
export type Membership = Readonly<{
  /** Releases what others should have, takes what it should have and is free. */
  rebalance: () => Promise<Readonly<{ released: TopicPartition[]; taken: Taken[] }>>;
  /** Tells the other members that this one goes; its locks end with the session. */
  leave: () => Promise<void>;
}>;

export type Taken = TopicPartition & Readonly<{ committed: bigint }>;

/**
 * Joins a group. Being a member is a shared lock for each topic, so that every member sees the
 * others in `pg_locks` and none can be left behind by a process that died.
 */
export async function join(
  session: Session,
  group: string,
  partitions: readonly TopicPartition[],
): Promise<Membership> {
  const topics = [...new Set(partitions.map(({ topic }) => topic))];
  const held = new Map<string, TopicPartition>();
  const [self] = await session.rows<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  if (self === undefined) throw new Error('The server did not tell its process id.');
  await session.rows(
    `SELECT pg_advisory_lock_shared(${memberLock('$1', 't.topic')}) FROM unnest($2::text[]) t(topic)`,
    [group, topics],
  );
  const announce = () => session.rows('SELECT pg_notify($1, $2)', [MEMBERS_CHANNEL, group]);
  await announce();
  return {
    rebalance: async () => {
      const members = await membersOf(session, group, topics);
      const share = assignPartitions(partitions, members).get(self.pid) ?? [];
      const mine = new Set(share.map(nameOf));
      const released = [...held.values()].filter((each) => !mine.has(nameOf(each)));
      await release(session, group, released);
      for (const each of released) held.delete(nameOf(each));
      if (released.length > 0) await announce();
      const wanted = share.filter((each) => !held.has(nameOf(each)));
      const taken = await take(session, group, wanted);
      for (const each of taken) held.set(nameOf(each), each);
      return { released, taken };
    },
    leave: async () => {
      await session.rows('SELECT pg_advisory_unlock_all()');
      await announce();
    },
  };
}

export const nameOf = ({ topic, partition }: TopicPartition) => `${topic}/${String(partition)}`;

async function membersOf(
  session: Session,
  group: string,
  topics: readonly string[],
): Promise<readonly Member[]> {
  const rows = await session.rows<{ pid: number; topics: string[] }>(
    `SELECT l.pid, array_agg(t.topic) AS topics
       FROM unnest($2::text[]) t(topic)
       JOIN pg_locks l ON l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (l.classid::bigint << 32 | l.objid::bigint) = ${memberLock('$1', 't.topic')}
      GROUP BY l.pid`,
    [group, topics],
  );
  return rows.map(({ pid, topics: consumed }) => ({ id: pid, topics: new Set(consumed) }));
}

async function release(
  session: Session,
  group: string,
  partitions: readonly TopicPartition[],
): Promise<void> {
  if (partitions.length === 0) return;
  await session.rows(
    `SELECT pg_advisory_unlock(${ownerLock('$1', 'p.topic', 'p.partition')})
       FROM unnest($2::text[], $3::int[]) p(topic, partition)`,
    [group, partitions.map(({ topic }) => topic), partitions.map(({ partition }) => partition)],
  );
}

async function take(
  session: Session,
  group: string,
  partitions: readonly TopicPartition[],
): Promise<Taken[]> {
  if (partitions.length === 0) return [];
  const locked = await session.rows<{ topic: string; partition: number; free: boolean }>(
    `SELECT topic, partition,
            pg_try_advisory_lock(${ownerLock('$1', 'p.topic', 'p.partition')}) AS free
       FROM unnest($2::text[], $3::int[]) p(topic, partition)`,
    [group, partitions.map(({ topic }) => topic), partitions.map(({ partition }) => partition)],
  );
  const free = locked.filter((each) => each.free);
  // A statement of its own: it must see what the previous holder committed until it let go.
  const offsets = await session.rows<{ topic: string; partition: number; committed: string }>(
    `SELECT p.topic, p.partition, coalesce(o.committed, 0)::text AS committed
       FROM unnest($2::text[], $3::int[]) p(topic, partition)
       LEFT JOIN group_offsets o
         ON o.consumer_group = $1 AND o.topic = p.topic AND o.partition = p.partition`,
    [group, free.map(({ topic }) => topic), free.map(({ partition }) => partition)],
  );
  return offsets.map(({ topic, partition, committed }) => ({
    topic,
    partition,
    committed: BigInt(committed),
  }));
}
