import { argv, stdout } from 'node:process';
import { openKafkaBus } from './kafka-bus.js';

/** A member in a process of its own that says what it got and never finishes with it. */
const [, , brokers = '', group = '', topic = ''] = argv;
const bus = await openKafkaBus({
  brokers: brokers.split(','),
  pace: { heartbeatMs: 300, sessionMs: 2_000 },
});
await bus.run({
  group,
  topics: [topic],
  signal: new AbortController().signal,
  handle: ({ message }) => {
    stdout.write(`in hand ${message.id}\n`);
    return new Promise(() => undefined);
  },
});
