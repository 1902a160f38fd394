import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { runSlice, type Slice } from './closed-loop.js';

/** The shape that the product's table of events has, without anything around it. */
const TABLE = `
CREATE TABLE IF NOT EXISTS raw_events (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream text NOT NULL,
  revision integer NOT NULL,
  id uuid NOT NULL,
  type text NOT NULL,
  data json NOT NULL,
  metadata json NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
  UNIQUE (stream, revision)
)`;
const INSERT = {
  name: 'insert',
  text: 'INSERT INTO raw_events (stream, revision, id, type, data, metadata) VALUES ($1, $2, $3, $4, $5, $6)',
};

export type RawEvent = Readonly<{ type: string; data: string; metadata: string }>;

/** Inserts of one event and one transaction each, over a connection per insert in flight. */
export async function openRawTable(url: string, connections: number) {
  const clients = await Promise.all(Array.from({ length: connections }, () => connect(url)));
  await clients[0]?.query(TABLE);
  const insert = (inFlight: number, forMs: number, event: RawEvent): Promise<Slice> => {
    const run = randomUUID();
    const revisions = Array.from({ length: inFlight }, () => -1);
    return runSlice(inFlight, forMs, async (worker) => {
      const revision = (revisions[worker] ?? -1) + 1;
      revisions[worker] = revision;
      const { type, data, metadata } = event;
      const values = [`raw-${run}_${worker}`, revision, randomUUID(), type, data, metadata];
      await clients[worker]?.query({ ...INSERT, values });
    });
  };
  const close = async () => {
    await Promise.all(clients.map((client) => client.end()));
  };
  return { insert, close };
}

export async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  return client;
}
