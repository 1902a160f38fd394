import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { DomainError } from '@patchtrail/event-sourcing';
import type { AppendResult, EventStore } from '@patchtrail/event-store';
import type { Bus } from '@patchtrail/messaging';
import { type Database, LeaseSuperseded, type Sql } from '@patchtrail/postgres';
import type { Point } from '../points.js';
import type { HostGroup } from '../schedule.js';

/** The product itself, of which one port does what it must not. */
export type MutatedHost = Readonly<{
  name: string;
  /** The rules of which at least one must see it. */
  rules: readonly string[];
  /** Where it is killed. */
  points: readonly Point[];
  /** Whose hosts are killed, where only theirs would show it. */
  group?: HostGroup;
  store?: (store: EventStore) => EventStore;
  bus?: (bus: Bus) => Bus;
  db?: (db: Database) => Database;
}>;

/** Long enough that a kill in between is likely. */
const LATE_MS = 800;
const SLOW_MS = 400;
const INBOX_MS = 100;
const EVERY = 15;

/** `true` for one call in so many. */
function everyNth(n: number): () => boolean {
  let calls = 0;
  return () => (calls += 1) % n === 0;
}

/** Only those who keep streams come by there, with whatever else they have in hand. */
const ON_STREAMS: readonly Point[] = [
  'append-checkpoint',
  'projection',
  'append-checkpoint',
  'projection',
];

export const MUTATED_HOSTS: readonly MutatedHost[] = [
  {
    name: 'a command is answered before it is stored',
    rules: ['acknowledged-once', 'published'],
    points: ON_STREAMS,
    store: (store) => ({ ...store, append: answeringEarly(store) }),
  },
  {
    name: 'an append is retried with new ids',
    rules: ['no-event-twice', 'acknowledged-once'],
    points: ['random'],
    store: (store) => ({ ...store, append: retryingAnew(store) }),
  },
  {
    name: 'a command is refused after it was stored',
    rules: ['refused-nothing'],
    points: ['random'],
    store: (store) => ({ ...store, append: refusingAfter(store) }),
  },
  {
    name: 'a checkpoint does not wait for the acknowledgement',
    rules: ['published', 'in-order'],
    points: ON_STREAMS,
    bus: (bus) => ({
      ...portsOf(bus),
      publish: (topic, messages) => {
        void pause(LATE_MS).then(() => bus.publish(topic, messages).catch(() => undefined));
        return Promise.resolve();
      },
    }),
  },
  {
    name: 'messages overtake each other',
    rules: ['in-order'],
    points: ['random'],
    bus: (bus) => ({ ...portsOf(bus), publish: overtaking(bus) }),
  },
  {
    name: 'an offset does not wait for the effect',
    rules: ['seen-by-all', 'acted-once'],
    points: ON_STREAMS,
    bus: (bus) => ({
      ...portsOf(bus),
      run: (options) => {
        const handle: typeof options.handle = (delivery) => {
          void pause(LATE_MS).then(() => options.handle(delivery).catch(() => undefined));
          return Promise.resolve();
        };
        return bus.run({ ...options, handle });
      },
    }),
  },
  {
    name: 'the inbox is outside the transaction of the effect',
    rules: ['acted-once'],
    points: ON_STREAMS,
    db: (db) => inTransactions(db, (tx) => ({ ...tx, run: inboxOn(db, tx) })),
  },
  {
    name: 'a projection applies what it has applied',
    rules: ['equals-rebuild', 'caught-up'],
    points: ['projection', 'random'],
    db: (db) => inTransactions(db, withoutCheckpoint),
  },
  {
    name: 'a relay is not fenced',
    rules: ['epochs-rise'],
    points: ['hand-over', 'hand-over', 'hand-over', 'hand-over', 'hand-over', 'hand-over'],
    // A reaction's checkpoint is compared too, so that it would be refused all the same.
    group: 'front',
    db: unfenced,
    bus: slow,
  },
  {
    name: 'a consumer hangs for good',
    rules: ['caught-up', 'seen-by-all'],
    points: ['random'],
    bus: (bus) => ({
      ...portsOf(bus),
      run: (options) => {
        const isStuck = everyNth(EVERY);
        const handle: typeof options.handle = (delivery) =>
          isStuck() ? new Promise(() => undefined) : options.handle(delivery);
        return bus.run({ ...options, handle });
      },
    }),
  },
];

/** What breaks them is there: it is not missing because somebody was slow. */
const NEVER_LATE: readonly string[] = [
  'no-event-twice',
  'refused-nothing',
  'in-order',
  'epochs-rise',
];

/** Where it did not come to rest, what is missing may only be late: then that must be expected. */
export function isSeen({ rules }: MutatedHost, broken: readonly string[]): boolean {
  const isLate = broken.includes('caught-up') && !rules.includes('caught-up');
  const counts = (rule: string) => !isLate || NEVER_LATE.includes(rule);
  return rules.some((rule) => broken.includes(rule) && counts(rule));
}

function portsOf(bus: Bus): Bus {
  return {
    ensureTopic: (topic, partitions) => bus.ensureTopic(topic, partitions),
    publish: (topic, messages) => bus.publish(topic, messages),
    run: (options) => bus.run(options),
    lag: (group, topics) => bus.lag(group, topics),
    rewind: (group, topics) => bus.rewind(group, topics),
  };
}

type Append = EventStore['append'];

function answeringEarly(store: EventStore): Append {
  return async (stream, expected, events): Promise<AppendResult> => {
    const position = await store.head();
    if (position === null) return store.append(stream, expected, events);
    void pause(LATE_MS).then(() => store.append(stream, expected, events).catch(() => undefined));
    return { revision: (expected === 'no-stream' ? -1 : expected) + events.length, position };
  };
}

function retryingAnew(store: EventStore): Append {
  const isLost = everyNth(EVERY);
  return async (stream, expected, events) => {
    const stored = await store.append(stream, expected, events);
    if (!isLost()) return stored;
    const again = events.map((event) => ({ ...event, id: randomUUID() }));
    return store.append(stream, stored.revision, again);
  };
}

function refusingAfter(store: EventStore): Append {
  const isRefused = everyNth(EVERY);
  return async (stream, expected, events) => {
    const stored = await store.append(stream, expected, events);
    if (isRefused()) throw new DomainError('refused-late', 'It is stored all the same.');
    return stored;
  };
}

function overtaking(bus: Bus): Bus['publish'] {
  const isSlow = everyNth(2);
  return async (topic, messages) => {
    const sent = (isSlow() ? pause(LATE_MS) : Promise.resolve()).then(() =>
      bus.publish(topic, messages),
    );
    sent.catch(() => undefined);
    return Promise.resolve();
  };
}

function inTransactions(db: Database, change: (tx: Sql) => Sql): Database {
  return { ...db, transaction: (work) => db.transaction((tx) => work(change(tx))) };
}

function inboxOn(db: Database, tx: Sql): Sql['run'] {
  return async (statement, values) => {
    if (!statement.trimStart().startsWith('INSERT INTO inbox')) return tx.run(statement, values);
    const inserted = await db.run(statement, values);
    await pause(INBOX_MS);
    return inserted;
  };
}

/** A checkpoint that is moved now and then only, while the rows are kept each time. */
function withoutCheckpoint(tx: Sql): Sql {
  return {
    ...tx,
    run: (statement, values) =>
      statement.startsWith('UPDATE checkpoints') && String(values?.[0]).endsWith('read-models')
        ? Promise.resolve(1)
        : tx.run(statement, values),
  };
}

/** One that was replaced does once more, and all the same, what was refused to it. */
function unfenced(db: Database): Database {
  const undeterred = (tx: Sql, epoch: string): Sql => ({
    ...tx,
    rows: async <T>(statement: string, values?: readonly unknown[]): Promise<T[]> => {
      const found = await tx.rows<T>(statement, values);
      if (!statement.includes('FROM lease_epochs')) return found;
      return found.map((row) => ({ ...row, epoch }));
    },
  });
  return {
    ...db,
    transaction: async (work) => {
      try {
        return await db.transaction(work);
      } catch (error) {
        if (!(error instanceof LeaseSuperseded)) throw error;
        const [, epoch = ''] = /of epoch (\d+)/.exec(error.message) ?? [];
        return db.transaction((tx) => work(undeterred(tx, epoch)));
      }
    },
  };
}

/** So that a relay that stands still is likely to do so with a batch in hand. */
function slow(bus: Bus): Bus {
  return {
    ...portsOf(bus),
    publish: async (topic, messages) => {
      await bus.publish(topic, messages);
      await pause(SLOW_MS);
    },
  };
}
