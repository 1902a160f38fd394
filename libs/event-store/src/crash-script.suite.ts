import { openDatabase } from '@patchtrail/postgres';
import { addTo } from './counter.suite.js';
import { runProjection } from './follow/projection.js';
import { runReaction } from './follow/reaction.js';
import { projectTimer, runTimers } from './follow/timers.js';
import type { StoredEvent } from './event-store.js';
import { commandIdFrom } from './ids.js';
import { createTestLog } from './log.suite.js';
import { openPostgresEventStore } from './postgres/postgres-event-store.js';

/**
 * A process that projects, reacts and fires timers, as a service does, until it is killed. It stops
 * dead, after telling so, at the point it was started with: `apply`, `received`,
 * `react`, `elapse` or `none`.
 */
const [, , storeUrl = '', databaseUrl = '', point = 'none'] = process.argv;
const HALT_AT_REVISION = 2;

function haltHere(here: string): Promise<void> {
  if (here !== point) return Promise.resolve();
  console.log(`halted in ${here}`);
  return new Promise(() => undefined);
}

const store = await openPostgresEventStore({ url: storeUrl });
const db = await openDatabase({ url: databaseUrl, applicationName: 'crash script' });
const log = createTestLog();
const { signal } = new AbortController();
const followed = { store, db, prefixes: ['source-'], signal, log };
const isLast = ({ revision }: StoredEvent) => revision === HALT_AT_REVISION;

const projection = runProjection({
  ...followed,
  name: 'rows',
  apply: async (tx, event) => {
    await tx.run('INSERT INTO applied VALUES ($1)', [event.revision]);
    await projectTimer(tx, event);
    if (isLast(event)) await haltHere('apply');
  },
});
const reaction = runReaction({
  ...followed,
  name: 'effects',
  react: async (event) => {
    if (isLast(event)) await haltHere('received');
    await addTo(store, 'reacted-1', 1, commandIdFrom('react', event.id));
    if (isLast(event)) await haltHere('react');
  },
});
runTimers({
  db,
  projection,
  elapse: async (timer, commandId) => {
    await addTo(store, 'elapsed-1', 1, commandId);
    if (timer.timerId === `timer ${HALT_AT_REVISION}`) await haltHere('elapse');
  },
  now: () => new Date(),
  signal,
  log,
  pollMs: 10,
});

console.log('started');
await Promise.all([projection.reachedHead(20_000), reaction.reachedHead(20_000)]);
console.log('caught up');
