import type { AppendResult, EventStore } from '@patchtrail/event-store';
import type { Bus } from '@patchtrail/messaging';
import type { Database, Sql } from '@patchtrail/postgres';
import { type Crossings, tell } from './crossings.js';

/** How long appends are kept together so that one transaction takes all of them. */
const GATHER_MS_MAX = 2_000;
const GATHER_COUNT = 3;

const HOLD = 'FROM lease_epochs WHERE name = $1 FOR SHARE';
const MOVE_CHECKPOINT = 'UPDATE checkpoints SET position = $2';

/** The product's event store, with the points that lie around an append. */
export function watchedStore(store: EventStore, crossings: Crossings): EventStore {
  const gathered: (() => void)[] = [];
  const openGate = () => {
    for (const go of gathered.splice(0)) go();
  };
  const gather = () =>
    new Promise<void>((resolve) => {
      gathered.push(resolve);
      if (gathered.length >= GATHER_COUNT) openGate();
      else if (gathered.length === 1) setTimeout(openGate, GATHER_MS_MAX);
    });
  const append = async (...of: Parameters<EventStore['append']>): Promise<AppendResult> => {
    if (crossings.isArmed('group-commit')) {
      await gather();
      const appended = store.append(...of);
      tell('at group-commit');
      return appended;
    }
    const appended = await store.append(...of);
    await crossings.cross('append-checkpoint');
    return appended;
  };
  return { ...store, append };
}

/** The product's bus, with the points around a send and around an offset. */
export function watchedBus(bus: Bus, crossings: Crossings): Bus {
  return {
    ensureTopic: (topic, partitions) => bus.ensureTopic(topic, partitions),
    lag: (group, topics) => bus.lag(group, topics),
    rewind: (group, topics) => bus.rewind(group, topics),
    publish: async (topic, messages) => {
      const published = bus.publish(topic, messages);
      if (crossings.isArmed('send-acknowledgement')) {
        setTimeout(() => void crossings.cross('send-acknowledgement'), crossings.delayMs());
      }
      await published;
      await crossings.cross('acknowledgement-checkpoint');
    },
    run: (options) => {
      tell(`joining ${options.group}`);
      const handle: typeof options.handle = async (delivery) => {
        await options.handle(delivery);
        await crossings.cross('effect-offset');
      };
      return bus.run({ ...options, handle });
    },
  };
}

type Seen = {
  /** Otherwise nothing is locked, and what was current may not be any more. */
  readonly isTransaction: boolean;
  hasProjected: boolean;
  held: Readonly<{ lease: string; epoch: string }> | null;
};

/**
 * A service's database, with the points in its transactions; it tells of every epoch that it finds
 * to be current, and under which it wrote.
 */
export function watchedDatabase(db: Database, crossings: Crossings): Database {
  const epochs = new Map<string, string>();
  const watch = (sql: Sql, seen: Seen): Sql => ({
    rows: async <T>(statement: string, values?: readonly unknown[]) => {
      const found = await sql.rows<T>(statement, values);
      if (!statement.includes(HOLD)) return found;
      const held = { lease: String(values?.[0]), epoch: epochIn(found[0]) };
      seen.held = held;
      const before = epochs.get(held.lease);
      epochs.set(held.lease, held.epoch);
      if (before === held.epoch) return found;
      if (seen.isTransaction) await tellEpoch(sql, held);
      if (held.epoch !== '1') await crossings.cross('hand-over');
      return found;
    },
    run: async (statement, values) => {
      const affected = await sql.run(statement, values);
      // A reaction fences its checkpoint with a lease; a projection needs none.
      if (statement.startsWith(MOVE_CHECKPOINT) && seen.held === null) seen.hasProjected = true;
      return affected;
    },
  });
  const outside: Seen = { isTransaction: false, hasProjected: false, held: null };
  return {
    ...db,
    ...watch(db, outside),
    transaction: (work) =>
      db.transaction(async (tx) => {
        const seen: Seen = { isTransaction: true, hasProjected: false, held: null };
        const result = await work(watch(tx, seen));
        if (seen.hasProjected) await crossings.cross('projection');
        if (seen.held !== null) await tellEpoch(tx, seen.held);
        return result;
      }),
  };
}

/** By the database's clock, under the lock that keeps others from taking the lease over. */
async function tellEpoch(
  tx: Sql,
  { lease, epoch }: Readonly<{ lease: string; epoch: string }>,
): Promise<void> {
  const [row] = await tx.rows<{ at: string }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text AS at',
  );
  tell(`wrote ${epoch} ${row?.at ?? ''} ${lease}`);
}

function epochIn(row: unknown): string {
  if (typeof row === 'object' && row !== null && 'epoch' in row) return String(row.epoch);
  return '';
}
