import { openDatabase } from '@patchtrail/postgres';
import { silentLog } from '@patchtrail/testing';
import { argv, stdout } from 'node:process';
import { consume } from '../consume.js';
import { openKafkaBus } from './kafka-bus.js';

/** A consumer that stops for good between the commit of its effect and that of its offset. */
const [, , url = '', brokers = '', prefix = '', group = '', topic = ''] = argv;
const db = await openDatabase({ url, applicationName: 'consumer-script' });
const pace = { heartbeatMs: 300, sessionMs: 2_000 };
const bus = await openKafkaBus({ brokers: brokers.split(','), prefix, pace });
await consume({
  bus: {
    ...bus,
    run: (options) =>
      bus.run({
        ...options,
        handle: async (delivery) => {
          await options.handle(delivery);
          stdout.write(`applied ${delivery.message.id}\n`);
          await new Promise(() => undefined);
        },
      }),
  },
  db,
  group,
  topics: [topic],
  apply: async (tx, { id, sequence }) => {
    await tx.run('INSERT INTO effects (id, sequence) VALUES ($1, $2)', [id, sequence]);
  },
  signal: new AbortController().signal,
  log: silentLog,
}).done;
