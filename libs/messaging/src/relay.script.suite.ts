import { openDatabase } from '@patchtrail/postgres';
import { eventually, silentLog } from '@patchtrail/testing';
import { argv, stdout } from 'node:process';
import { openPostgresBus } from './postgres/postgres-bus.js';
import { runOutboxRelay } from './relay.js';

/**
 * A relay that stops between the bus's acknowledgement and the outbox's deletion: for good, or until
 * another one has taken over.
 */
const [, , databaseUrl = '', busUrl = '', until = 'killed'] = argv;
const db = await openDatabase({ url: databaseUrl, applicationName: 'relay-script' });
const bus = await openPostgresBus({ url: busUrl });

const replaced = () =>
  eventually(
    async () => {
      const rows = await db.rows('SELECT 1 FROM lease_epochs WHERE epoch > 1');
      if (rows.length === 0) throw new Error('Nobody has taken over.');
    },
    { deadlineMs: 60_000 },
  );
await runOutboxRelay({
  db,
  bus: {
    publish: async (topic, messages) => {
      await bus.publish(topic, messages);
      stdout.write(`published ${String(messages.length)}\n`);
      await (until === 'until-replaced' ? replaced() : new Promise(() => undefined));
    },
  },
  name: 'spec',
  log: {
    ...silentLog,
    error: ({ err }) => void stdout.write(`failed: ${String(err)}\n`),
  },
  pace: { silenceMs: 3_000 },
  signal: new AbortController().signal,
}).done;
