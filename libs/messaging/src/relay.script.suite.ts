import { openDatabase } from '@patchtrail/postgres';
import { silentLog } from '@patchtrail/testing';
import { argv, stdout } from 'node:process';
import { openPostgresBus } from './postgres/postgres-bus.js';
import { runOutboxRelay } from './relay.js';

/** A relay that stops for good between the bus's acknowledgement and the outbox's deletion. */
const [, , databaseUrl = '', busUrl = ''] = argv;
const db = await openDatabase({ url: databaseUrl, applicationName: 'relay-script' });
const bus = await openPostgresBus({ url: busUrl });
await runOutboxRelay({
  db,
  bus: {
    ...bus,
    publish: async (topic, messages) => {
      await bus.publish(topic, messages);
      stdout.write(`published ${String(messages.length)}\n`);
      await new Promise(() => undefined);
    },
  },
  name: 'spec',
  log: silentLog,
  signal: new AbortController().signal,
}).done;
