import { randomUUID } from 'node:crypto';
import { loadavg } from 'node:os';
import { AT_ONCE, openPostgresBus } from '@patchtrail/messaging';
import { openKafkaBus } from '@patchtrail/messaging/kafka';
import { kafkaVersion, missingForKafka, startKafka } from '@patchtrail/messaging/kafka-broker';
import { type Bench, ratioOf, type Sizes } from './bench.js';
import { runSlice, type Slice, summaryOf } from './closed-loop.js';
import { type BenchDatabases, withDurablePostgres } from './durable-postgres.js';
import { type Flow, openFlow, type OpenPipe } from './flow.js';
import { throughInbox, throughKafkajs } from './pipes.js';
import { connect } from './raw-table.js';

const MEMBERS = [1, 4] as const;
const MAIN = 4;
/** Published and not yet consumed, at most. */
const WINDOW = 1_000;
/** The inbox's shape, without anything around it. */
const TABLE = `CREATE TABLE raw_inbox (
  consumer_group text NOT NULL,
  source text NOT NULL,
  message_id text NOT NULL,
  consumed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (consumer_group, source, message_id)
)`;
const INSERT = {
  name: 'insert',
  text: 'INSERT INTO raw_inbox (consumer_group, source, message_id) VALUES ($1, $2, $3)',
};

type Measure = (window: number, forMs: number) => Promise<Slice>;
type Subject = Readonly<{ full: Slice[]; single: Slice[]; measure: Measure }>;
type Subjects = ReadonlyMap<string, Subject>;

/** Produce, consume and commit the inbox, on both logs, against kafkajs and an insert alone. */
export const bus: Bench = {
  about: 'messages per second from produce to inbox commit, against raw kafkajs and a raw insert',
  missing: missingForKafka,
  run: ({ rounds = 3, sliceMs = 3_000 }: Sizes) =>
    withDurablePostgres(async (databases) => {
      const load = Number((loadavg()[0] ?? 0).toFixed(1));
      const kafka = await startKafka();
      try {
        const opened = new Map<number, Subjects>();
        for (const members of MEMBERS) {
          opened.set(members, await measured(databases, kafka.brokers, members, rounds, sliceMs));
        }
        const versions = { postgres: databases.version, kafka: await kafkaVersion() };
        return resultOf(opened, { rounds, sliceMs, window: WINDOW, load, ...versions });
      } finally {
        await kafka.stop();
      }
    }),
};

/** All of them in turn, with as many members; the round -1 lets the members join. */
async function measured(
  databases: BenchDatabases,
  brokers: readonly string[],
  members: number,
  rounds: number,
  sliceMs: number,
): Promise<Subjects> {
  const closes: (() => Promise<void>)[] = [];
  const keep = async (open: OpenPipe, close = () => Promise.resolve()): Promise<Subject> => {
    const flow: Flow = await openFlow(open);
    closes.push(flow.close, close);
    return { full: [], single: [], measure: flow.measure };
  };
  try {
    const [kafkaBus, postgresBus] = await Promise.all([
      openKafkaBus({ brokers }),
      openPostgresBus({ url: databases.busUrl }),
    ]);
    const inserts = await openInserts(databases.serviceUrl, members * AT_ONCE);
    closes.push(inserts.close);
    const { service } = databases;
    const subjects = new Map([
      ['kafka', await keep(throughInbox(kafkaBus, service, members), kafkaBus.close)],
      ['postgresql', await keep(throughInbox(postgresBus, service, members), postgresBus.close)],
      ['raw kafkajs', await keep(throughKafkajs(brokers, kafkaBus, members))],
      ['raw insert', { full: [], single: [], measure: inserts.measure }],
    ]);
    for (let round = -1; round < rounds; round += 1) await takeTurns(subjects, round, sliceMs);
    return subjects;
  } finally {
    for (const close of closes) await close();
  }
}

async function takeTurns(subjects: Subjects, round: number, sliceMs: number): Promise<void> {
  const inOrder = [...subjects.values()];
  const first = Math.max(round, 0) % inOrder.length;
  for (const { measure, full, single } of [...inOrder.slice(first), ...inOrder.slice(0, first)]) {
    const slices = [await measure(WINDOW, sliceMs), await measure(1, sliceMs / 3)] as const;
    if (round < 0) continue;
    full.push(slices[0]);
    single.push(slices[1]);
  }
}

/** A row and a transaction each, on as many connections as members handle messages at once. */
async function openInserts(url: string, connections: number) {
  const clients = await Promise.all(Array.from({ length: connections }, () => connect(url)));
  await clients[0]?.query(TABLE.replace('TABLE', 'TABLE IF NOT EXISTS'));
  const measure: Measure = (window, forMs) =>
    runSlice(Math.min(window, connections), forMs, async (worker) => {
      const values = ['bench', '/patchtrail/bench', randomUUID()];
      await clients[worker]?.query({ ...INSERT, values });
    });
  const close = async () => {
    await Promise.all(clients.map((client) => client.end()));
  };
  return { measure, close };
}

function resultOf(
  opened: ReadonlyMap<number, Subjects>,
  conditions: Readonly<Record<string, number | string>>,
) {
  const rateOf = (members: number, name: string) =>
    summaryOf(opened.get(members)?.get(name)?.full ?? []).rate;
  /** No way that does both is faster than the slower of the two. */
  const limitOf = (members: number) =>
    Math.min(rateOf(members, 'raw kafkajs'), rateOf(members, 'raw insert'));
  const detailOf = (members: number, subjects: Subjects) => ({
    ...Object.fromEntries(
      [...subjects].map(([name, { single }]) => {
        const { p50Ms, p99Ms } = summaryOf(single);
        return [name, { rate: rateOf(members, name), 'one at a time': { p50Ms, p99Ms } }];
      }),
    ),
    ratios: {
      kafka: ratioOf(rateOf(members, 'kafka'), limitOf(members)),
      postgresql: ratioOf(rateOf(members, 'postgresql'), rateOf(members, 'raw insert')),
    },
  });
  const [ours, limit] = [rateOf(MAIN, 'kafka'), limitOf(MAIN)];
  return {
    ...{ name: 'bus', ours, limit, ratio: ratioOf(ours, limit), unit: 'messages/s' },
    detail: {
      conditions: { ...conditions, dataBytes: 540 },
      ...Object.fromEntries(
        [...opened].map(([members, subjects]) => [
          `${members} in the group`,
          detailOf(members, subjects),
        ]),
      ),
    },
  };
}
