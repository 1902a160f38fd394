import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Bus } from '@patchtrail/messaging';
import kafkajs from 'kafkajs';
import type { Client } from 'pg';
import type { Settled } from './approvals.js';

/**
 * The shortest way from a durable row to a durable row that follows from it in another session,
 * one after another: what remains of an end-to-end path when everything of the product is gone.
 */
export type RawPath = Readonly<{
  measure: (count: number) => Promise<readonly Settled[]>;
  close: () => Promise<void>;
}>;

const TABLES = `
  CREATE TABLE IF NOT EXISTS raw_accepted (id uuid PRIMARY KEY, data json NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE TABLE IF NOT EXISTS raw_acted (id uuid PRIMARY KEY, data json NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp())`;
const ACCEPT = 'INSERT INTO raw_accepted (id, data) VALUES ($1, $2)';
const ACT = 'INSERT INTO raw_acted (id, data) SELECT id, data FROM raw_accepted WHERE id = $1';
const SETTLED = `SELECT a.at AS "acceptedAt", b.at AS "actedAt"
  FROM raw_accepted a JOIN raw_acted b USING (id) WHERE id = ANY($1::uuid[])`;
const DATA = JSON.stringify({ remark: 'r'.repeat(540) });
const CHANNEL = 'raw_accepted';
const ACTED_MS_MAX = 30_000;

/** Over a notification of PostgreSQL. */
export async function rawNotification(from: Client, to: Client): Promise<RawPath> {
  await from.query(TABLES);
  await to.query(`LISTEN ${CHANNEL}`);
  const acted = createTurn();
  const act = ({ payload = '' }: { payload?: string | undefined }) => {
    to.query(ACT, [payload]).then(acted.done, acted.failed);
  };
  to.on('notification', act);
  return {
    measure: (count) =>
      measured(from, count, async (id) => {
        const turn = acted.next();
        await from.query(
          `WITH accepted AS (${ACCEPT} RETURNING id) SELECT pg_notify('${CHANNEL}', id::text) FROM accepted`,
          [id, DATA],
        );
        await turn;
      }),
    close: async () => {
      to.off('notification', act);
      await to.query(`UNLISTEN ${CHANNEL}`);
    },
  };
}

/** Over Kafka, by kafkajs alone. */
export async function rawKafka(
  from: Client,
  to: Client,
  brokers: readonly string[],
  { ensureTopic }: Pick<Bus, 'ensureTopic'>,
): Promise<RawPath> {
  const { Kafka, logLevel, Partitioners } = kafkajs;
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  await from.query(TABLES);
  const topic = `raw.${randomUUID()}`;
  await ensureTopic(topic, 1);
  const createPartitioner = Partitioners.DefaultPartitioner;
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner });
  const consumer = kafka.consumer({ groupId: topic });
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topic, fromBeginning: true });
  const acted = createTurn();
  await consumer.run({
    eachMessage: async ({ message: { key } }) => {
      await to.query(ACT, [String(key)]).then(acted.done, acted.failed);
    },
  });
  return {
    measure: (count) =>
      measured(from, count, async (id) => {
        const turn = acted.next();
        await from.query(ACCEPT, [id, DATA]);
        await producer.send({ topic, messages: [{ key: id, value: DATA }], acks: -1 });
        await turn;
      }),
    close: async () => {
      await Promise.all([producer.disconnect(), consumer.disconnect()]);
    },
  };
}

async function measured(
  from: Client,
  count: number,
  one: (id: string) => Promise<void>,
): Promise<readonly Settled[]> {
  // The first ones find a consumer that is still joining, and cold caches.
  for (let warmUp = 0; warmUp < 5; warmUp += 1) await one(randomUUID());
  const ids = Array.from({ length: count }, () => randomUUID());
  for (const id of ids) await one(id);
  return (await from.query<Settled>(SETTLED, [ids])).rows;
}

/** What one side waits for and the other one does. */
function createTurn() {
  const events = new EventTarget();
  let failure: unknown = null;
  const settle = () => events.dispatchEvent(new Event('acted'));
  return {
    next: async () => {
      await once(events, 'acted', { signal: AbortSignal.timeout(ACTED_MS_MAX) });
      if (failure !== null) throw new Error('The raw effect failed.', { cause: failure });
    },
    done: settle,
    failed: (error: unknown) => {
      failure = error;
      settle();
    },
  };
}
