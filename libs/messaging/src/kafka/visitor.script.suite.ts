import { argv, stdin, stdout } from 'node:process';
import { messageOf, unique } from '../test-messages.suite.js';
import { openKafkaBus } from './kafka-bus.js';

/** Publishes and consumes in a process of its own, publishes once more when told to, and closes. */
const [, , brokers = ''] = argv;
const bus = await openKafkaBus({ brokers: brokers.split(','), publishMs: 5_000 });
const topic = unique('visit');
await bus.ensureTopic(topic, 2);
await bus.publish(topic, [messageOf('key')]);
const stop = new AbortController();
await bus.run({
  group: unique('visitor'),
  topics: [topic],
  signal: stop.signal,
  handle: () => {
    stop.abort();
    return Promise.resolve();
  },
});
stdout.write('consumed\n');
await new Promise((resolve) => stdin.once('data', resolve));
stdin.destroy();
await bus.publish(topic, [messageOf('key')]).then(
  () => stdout.write('published\n'),
  (error: unknown) => stdout.write(`failed: ${String(error)}\n`),
);
await bus.close();
// A timer would keep the process, or the worker of a test run, for as long as it takes.
const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout');
stdout.write(`closed, ${timers.length} timers left\n`);
