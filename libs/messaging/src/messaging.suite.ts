import { discovery } from '@patchtrail/contracts';
import { type Database, openDatabase, type Sql } from '@patchtrail/postgres';
import { freshDatabase, silentLog } from '@patchtrail/testing';
import { randomUUID } from 'node:crypto';
import {
  type Apply,
  type Bus,
  enqueue,
  messagingMigrations,
  type RelayOptions,
  runOutboxRelay,
} from './index.js';
import { busMigrations } from './postgres/migrations.js';
import { type OpenBus, openPostgresBus } from './postgres/postgres-bus.js';

/** The event that the specs send; its `reason` says what a consumer should make of it. */
export const Sent = discovery.EndpointRetired;

export type Stage = Readonly<{
  db: Database;
  bus: OpenBus;
  busUrl: string;
  /** Enqueues one event for each reason, in one transaction; returns their ids. */
  send: (key: string, ...reasons: readonly string[]) => Promise<string[]>;
  /** Relays what the outbox holds, until the signal aborts. */
  relay: (
    signal: AbortSignal,
    bus?: Pick<Bus, 'publish'>,
    change?: Partial<RelayOptions>,
  ) => Promise<void>;
  /** Writes the message's id and sequence to the table `effects`. */
  effect: Apply;
  effects: () => Promise<string[]>;
  close: () => Promise<void>;
}>;

/** A service's database and a bus, as they are in production, with nothing in them. */
export async function openStage(): Promise<Stage> {
  const [service, log] = [await freshDatabase('service'), await freshDatabase('bus')];
  const owner = await openDatabase({
    url: log.url,
    applicationName: 'spec',
    migrations: busMigrations,
  });
  await owner.close();
  const db = await openDatabase({
    url: service.url,
    applicationName: 'spec',
    migrations: [
      ...messagingMigrations,
      {
        name: 'spec-001-effects',
        sql: `CREATE TABLE effects (number integer GENERATED ALWAYS AS IDENTITY,
                                    id text NOT NULL, sequence text NOT NULL)`,
      },
    ],
  });
  const bus = await openPostgresBus({ url: log.url, pace: { redeliveryMs: 10 } });
  await bus.ensureTopic(Sent.topic, 4);
  return {
    db,
    bus,
    busUrl: log.url,
    send: (key, ...reasons) => db.transaction((tx) => enqueueAll(tx, key, reasons)),
    relay: (signal, to = bus, change = {}) =>
      runOutboxRelay({
        db,
        bus: to,
        signal,
        log: silentLog,
        name: 'spec',
        pace: { pollMs: 10, leaseMs: 20, retryMs: 5, retryMsMax: 20 },
        ...change,
      }).done,
    effect: async (tx, { id, sequence }) => {
      await tx.run('INSERT INTO effects (id, sequence) VALUES ($1, $2)', [id, sequence]);
    },
    effects: async () => {
      const rows = await db.rows<{ id: string }>('SELECT id FROM effects ORDER BY number');
      return rows.map(({ id }) => id);
    },
    close: async () => {
      await bus.close();
      await db.close();
      await Promise.all([service.drop(), log.drop()]);
    },
  };
}

/** An outbox row of one event, in the caller's transaction. */
export async function enqueueOne(tx: Sql, key: string, reason: string): Promise<string> {
  const id = randomUUID();
  const origin = {
    id,
    subject: `endpoint/${key}`,
    key,
    time: '2026-11-21T09:00:00Z',
    correlationId: 'correlation',
    causationId: 'causation',
    traceparent: '',
    actor: 'pat',
  };
  await enqueue(tx, Sent, origin, { endpointId: randomUUID(), reason });
  return id;
}

async function enqueueAll(tx: Sql, key: string, reasons: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const reason of reasons) ids.push(await enqueueOne(tx, key, reason));
  return ids;
}
