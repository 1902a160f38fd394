import type { Bus } from '@patchtrail/messaging';
import { createLogger } from '@patchtrail/platform';
import { standaloneConfig } from './config.js';
import { startStandalone } from './standalone.js';

/**
 * The product, but publishing an event of a type never ends: `<EventName> before|after`. Whoever
 * published waits for ever, before the message is on the bus or when it is already durable there.
 */
const [, , name = '', when = ''] = process.argv;

const stuck = (bus: Bus): Bus => ({
  ensureTopic: (topic, partitions) => bus.ensureTopic(topic, partitions),
  run: (options) => bus.run(options),
  lag: (group, topics) => bus.lag(group, topics),
  rewind: (group, topics) => bus.rewind(group, topics),
  publish: async (topic, messages) => {
    const found = messages.find(({ type }) => type.split('.').at(-2) === name);
    if (found === undefined || when === 'after') await bus.publish(topic, messages);
    if (found === undefined) return;
    process.stdout.write(`stuck with ${found.id}\n`);
    return new Promise(() => undefined);
  },
});

const running = await startStandalone(standaloneConfig(), createLogger('patchtrail'), {
  decorateBus: stuck,
});
process.stdout.write(`Patchtrail is ready at ${running.facts.url}\n`);
