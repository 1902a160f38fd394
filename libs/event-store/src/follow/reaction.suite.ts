import { afterEach, beforeEach } from '@jest/globals';
import type { Database } from '@patchtrail/postgres';
import { openFreshDatabase } from '../databases.suite.js';
import type { EventStore, StoredEvent } from '../event-store.js';
import { createTestLog } from '../log.suite.js';
import { createMemoryEventStore } from '../memory-event-store.js';
import { newEvents } from '../test-events.suite.js';
import { parkedEvents } from './parked-events.js';
import { runReaction } from './reaction.js';
import type { ReactionOptions } from './reaction-options.js';

type Now = {
  store: EventStore;
  db: Database;
  log: ReturnType<typeof createTestLog>;
  /** Whatever runs then ends with it; another one may take its place. */
  stop: AbortController;
  /** What `react` was given, as `counter-1@0`. */
  reacted: string[];
};

/** A store, a database and reactions on them, anew for each spec. */
export function reactionStage() {
  let now: Now;
  let close: () => Promise<void>;
  const running: Promise<void>[] = [];

  beforeEach(async () => {
    const opened = await openFreshDatabase();
    close = opened.close;
    const stop = new AbortController();
    const store = createMemoryEventStore();
    now = { store, db: opened.db, log: createTestLog(), stop, reacted: [] };
  });
  afterEach(async () => {
    now.stop.abort();
    await Promise.all(running.splice(0));
    await close();
  });

  const react = (event: StoredEvent) => {
    now.reacted.push(nameOf(event));
    return Promise.resolve();
  };
  const run = (change: Partial<ReactionOptions> = {}) => {
    const { store, db, log, stop } = now;
    const options = { store, db, name: 'publish', prefixes: ['counter-'], react, log };
    const reaction = runReaction({ ...options, signal: stop.signal, ...change });
    running.push(reaction.done);
    return reaction;
  };
  const append = (stream: string, count: number) =>
    now.store.append(stream, 'no-stream', newEvents(count));
  const checkpoint = async () => {
    const sql = 'SELECT position FROM checkpoints';
    const [row] = await now.db.rows<{ position: string | null }>(sql);
    return row?.position;
  };
  const parked = async () => {
    const all = await parkedEvents(now.db);
    return all.map(({ stream, revision, cause }) => [`${stream}@${revision}`, cause]);
  };
  return { at: () => now, react, run, append, checkpoint, parked };
}

export function nameOf({ stream, revision }: StoredEvent): string {
  return `${stream}@${revision}`;
}
