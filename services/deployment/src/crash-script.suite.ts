import { type EventStore, openPostgresEventStore } from '@patchtrail/event-store';
import { openPostgresBus } from '@patchtrail/messaging';
import { createLogger } from '@patchtrail/platform';
import { openDatabase } from '@patchtrail/postgres';
import { createDeployment } from './index.js';

/**
 * A deployment service that stops dead once it has appended an event of a type, before whoever asked
 * for the append hears of it and before any checkpoint: `<own> <bus> <store> <type>`.
 */
const [, , own = '', busUrl = '', storeUrl = '', type = ''] = process.argv;

const db = await openDatabase({ url: own, applicationName: 'crash script' });
const bus = await openPostgresBus({ url: busUrl });
const inner = await openPostgresEventStore({ url: storeUrl });
const eventStore: EventStore = {
  ...inner,
  append: async (stream, expected, events) => {
    const appended = await inner.append(stream, expected, events);
    if (!events.some((event) => event.type === type)) return appended;
    console.log(`appended ${type}`);
    return new Promise(() => undefined);
  },
};
const service = await createDeployment({
  ...{ db, bus, eventStore, now: () => new Date() },
  verifyToken: () => Promise.reject(new Error('Nobody asks.')),
  log: createLogger('crash script', 'silent'),
});
await service.start();
console.log('started');
