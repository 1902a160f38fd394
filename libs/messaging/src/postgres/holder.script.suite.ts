import { argv, stdout } from 'node:process';
import { openPostgresBus } from './postgres-bus.js';

/** A member in a process of its own that says what it got and never finishes with it. */
const [, , url = '', group = '', topic = ''] = argv;
const bus = await openPostgresBus({ url });
await bus.run({
  group,
  topics: [topic],
  signal: new AbortController().signal,
  handle: ({ message }) => {
    stdout.write(`in hand ${message.id}\n`);
    return new Promise(() => undefined);
  },
});
