import { type Database, openDatabase } from '@patchtrail/postgres';
import { openPostgresEventStore } from '../postgres/postgres-event-store.js';
import { rebuildProjection } from './rebuild.js';
import { counterRows } from './rebuild.suite.js';

/**
 * Rebuilds the rows of counters until it is killed: it stops dead, after telling so, before the end
 * of its transaction of this number. The first makes the copies, the last is the swap.
 */
const [, , storeUrl = '', databaseUrl = '', haltIn = ''] = process.argv;

const store = await openPostgresEventStore({ url: storeUrl });
const opened = await openDatabase({ url: databaseUrl, applicationName: 'rebuild script' });
let transactions = 0;
const db: Database = {
  ...opened,
  transaction: (work) =>
    opened.transaction(async (tx) => {
      const result = await work(tx);
      transactions += 1;
      if (String(transactions) === haltIn) {
        console.log('halted');
        await new Promise(() => undefined);
      }
      return result;
    }),
};
await rebuildProjection({
  ...{ store, db, projection: counterRows },
  signal: new AbortController().signal,
});
console.log('rebuilt');
