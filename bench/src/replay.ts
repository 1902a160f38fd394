import { randomUUID } from 'node:crypto';
import { type EventStore, type NewEvent, runProjection } from '@patchtrail/event-store';
import type { Database } from '@patchtrail/postgres';
import type { Client } from 'pg';
import { contextOf, voteBy } from './ballot.js';
import { type Bench, ratioOf, type Sizes } from './bench.js';
import { withDurablePostgres } from './durable-postgres.js';
import { connect } from './raw-table.js';

const EVENTS = 500_000;
const PER_STREAM = 500;
const STREAMS_AT_ONCE = 4;
const PAGE_SIZE = 1_000;
const DEADLINE_MS = 30 * 60_000;
const PAGE = {
  name: 'page',
  text: `SELECT position, stream, revision, id, type, data, metadata, recorded_at
         FROM event_store.events WHERE position > $1 ORDER BY position LIMIT ${PAGE_SIZE}`,
};

type Run = Readonly<{ events: number; ms: number }>;

/** All events through a subscription, against a keyset read of the same table. */
export const replay: Bench = {
  about: 'events per second through a subscription, against a raw keyset read of the same table',
  run: ({ events = EVENTS, rounds = 3 }: Sizes) =>
    withDurablePostgres(async ({ version, store, ownerUrl, service }) => {
      const stored = await fill(store, events);
      const client = await connect(ownerUrl);
      try {
        await client.query('VACUUM (ANALYZE) event_store.events');
        const [raw, noop]: [Run[], Run[]] = [[], []];
        for (let round = 0; round < rounds; round += 1) {
          const both = [
            async () => raw.push(await timed(() => readRaw(client))),
            async () => noop.push(await timed(() => subscribeAll(store))),
          ];
          for (const one of round % 2 === 0 ? both : both.toReversed()) await one();
        }
        const projected = await timed(() => project(store, service));
        for (const run of [...raw, ...noop, projected]) assertAll(run, stored);
        const [ours, limit] = [rateOf(noop), rateOf(raw)];
        return {
          ...{ name: 'replay', ours, limit, ratio: ratioOf(ours, limit), unit: 'events/s' },
          detail: {
            conditions: { events: stored, rounds, postgres: version, eventBytes: 540 },
            noop: ratesOf(noop),
            raw: ratesOf(raw),
            projection: { rate: rateOf([projected]), ratio: ratioOf(rateOf([projected]), limit) },
          },
        };
      } finally {
        await client.end();
      }
    }),
};

async function fill(store: EventStore, events: number): Promise<number> {
  const streams = Math.ceil(events / PER_STREAM);
  let next = 0;
  const work = async () => {
    while (next < streams) {
      next += 1;
      const { commandId, correlationId, causationId, at, ...origin } = contextOf();
      const cause = { $correlationId: correlationId, $causationId: causationId };
      const metadata = { schemaVersion: 1, commandId, ...cause, occurredAt: at, ...origin };
      const batch = Array.from({ length: PER_STREAM }, (_, n): NewEvent => {
        return {
          id: randomUUID(),
          type: 'VoteRecorded',
          data: voteBy(`voter ${n}`).data,
          metadata,
        };
      });
      await store.append(`ballot-${randomUUID()}`, 'no-stream', batch);
    }
  };
  await Promise.all(Array.from({ length: STREAMS_AT_ONCE }, work));
  return streams * PER_STREAM;
}

async function timed(work: () => Promise<number>): Promise<Run> {
  const from = performance.now();
  const events = await work();
  return { events, ms: performance.now() - from };
}

async function readRaw(client: Client): Promise<number> {
  let events = 0;
  for (let position = '0'; ;) {
    const { rows } = await client.query<{ position: string }>({ ...PAGE, values: [position] });
    events += rows.length;
    if (rows.length < PAGE_SIZE) return events;
    position = rows.at(-1)?.position ?? position;
  }
}

async function subscribeAll(store: EventStore): Promise<number> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const head = await store.head();
  let events = 0;
  for await (const item of store.subscribe({ after: null, prefixes: [], signal })) {
    if (item.kind === 'event') events += 1;
    else if (head === null || store.comparePositions(item.position, head) >= 0) break;
  }
  return events;
}

async function project(store: EventStore, db: Database): Promise<number> {
  await db.run('CREATE TABLE votes (stream text, revision integer, at timestamptz)');
  const stop = new AbortController();
  const projection = runProjection({
    ...{ store, db, name: 'bench.votes', prefixes: ['ballot-'], signal: stop.signal },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    apply: (tx, { stream, revision, metadata }) =>
      tx
        .run('INSERT INTO votes VALUES ($1, $2, $3)', [stream, revision, metadata.occurredAt])
        .then(() => undefined),
  });
  await projection.reachedHead(DEADLINE_MS);
  stop.abort();
  await projection.done;
  const [row] = await db.rows<{ events: number }>('SELECT count(*)::int AS events FROM votes');
  return row?.events ?? 0;
}

function assertAll({ events }: Run, stored: number): void {
  if (events !== stored) throw new Error(`${events} events were seen, ${stored} are there.`);
}

function rateOf(runs: readonly Run[]): number {
  const sum = (of: (run: Run) => number) => runs.reduce((total, run) => total + of(run), 0);
  return Math.round((sum(({ events }) => events) / sum(({ ms }) => ms)) * 1_000);
}

function ratesOf(runs: readonly Run[]): readonly number[] {
  return runs.map((run) => rateOf([run]));
}
