import type { Database } from '@patchtrail/postgres';
import type { EventStore } from '../event-store.js';

/** A service's rows were made from the events of another store: its positions mean nothing here. */
export class ForeignEventStore extends Error {
  constructor(
    readonly bound: string,
    readonly found: string,
  ) {
    super(
      `This database follows the event store ${bound}, but the one that is configured is ${found}. ` +
        'Configure the store it belongs to, or give the service a database of its own for this one.',
    );
    this.name = 'ForeignEventStore';
  }
}

/**
 * Ties a service's database to the event store that it is first used with. To be called before
 * anything follows the store.
 * @throws ForeignEventStore when the database belongs to another store
 */
export async function bindStore(db: Database, store: EventStore): Promise<void> {
  const identity = await store.identity();
  await db.run('INSERT INTO followed_store (identity) VALUES ($1) ON CONFLICT DO NOTHING', [
    identity,
  ]);
  const [row] = await db.rows<{ identity: string }>('SELECT identity FROM followed_store');
  if (row?.identity !== identity) throw new ForeignEventStore(String(row?.identity), identity);
}
