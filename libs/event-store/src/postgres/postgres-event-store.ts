import type { Pool } from 'pg';
import type { EventStore } from '../event-store.js';
import { observedAppend } from '../observed-append.js';
import { compareNumbered, positionFrom } from '../position.js';
import { APPEND_LANES, appendOf, mergedAppends } from './append.js';
import { poolFor, rowsOf } from './connections.js';
import { headAfter } from './log-page.js';
import { readAll } from './read-all.js';
import { mergedReads, READ_LANES } from './read-stream.js';
import { subscribe } from './subscription.js';
import { createWakeUps } from './wake-ups.js';

const APPLICATION_NAME = 'patchtrail event store';
const POOL_MAX_DEFAULT = 10;
const NOWHERE = 2n ** 63n - 2n;

/**
 * An event store in a PostgreSQL database that has the event store's migrations and grants. Close
 * it after the subscriptions have ended. `poolMax` bounds the connections for reading; writing has
 * two more, and waiting one. What the server refuses is passed on as it is.
 */
export async function openPostgresEventStore(options: {
  url: string;
  poolMax?: number;
}): Promise<EventStore & { close(): Promise<void> }> {
  const { url, poolMax = POOL_MAX_DEFAULT } = options;
  const pool = poolFor(url, APPLICATION_NAME, Math.max(poolMax, READ_LANES));
  const writers = poolFor(url, `${APPLICATION_NAME} writer`, APPEND_LANES);
  const wakeUps = createWakeUps(url, `${APPLICATION_NAME} listener`);
  const appends = mergedAppends(writers);
  const reads = mergedReads(pool);
  const close = async () => {
    await Promise.all([wakeUps.close(), appends.close(), reads.close()]);
    await Promise.all([writers.end(), pool.end()]);
  };
  try {
    await head(pool);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    append: observedAppend('postgresql', async (stream, expected, events) =>
      appends.submit(appendOf(stream, expected, events)),
    ),
    read: (stream, readOptions = {}) => reads.read(stream, readOptions),
    readAll: (readOptions = {}) => readAll(pool, readOptions),
    identity: () => identity(pool),
    head: () => head(pool),
    subscribe: (subscribeOptions) => subscribe(pool, wakeUps, subscribeOptions),
    comparePositions: compareNumbered,
    close,
  };
}

async function identity(pool: Pool): Promise<string> {
  const text = 'SELECT id FROM event_store.identity';
  const rows = await rowsOf<{ id: string }>(pool, { text });
  const [row] = rows;
  if (row === undefined) throw new Error('The event store has no identity.');
  return `postgres:${row.id}`;
}

async function head(pool: Pool) {
  const newest = await headAfter(pool, NOWHERE);
  return newest === 0n ? null : positionFrom(newest);
}
