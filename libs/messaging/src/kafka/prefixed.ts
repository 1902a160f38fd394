import type { Bus } from '../bus.js';
import { refuseGroup, refuseTopic } from '../refuse.js';

/**
 * The same bus with all of its topics and groups behind a prefix, so that several installations
 * share one Kafka. Who uses it sees the names without.
 */
export function prefixed<B extends Bus>(bus: B, prefix: string): B {
  const outside = (name: string) => `${prefix}${name}`;
  const inside: Bus = {
    ensureTopic: async (topic, partitions) => {
      refuseTopic(topic, partitions);
      await bus.ensureTopic(outside(topic), partitions);
    },
    publish: (topic, messages) => bus.publish(outside(topic), messages),
    run: async (options) => {
      const { group, topics, handle } = options;
      refuseGroup(group);
      await bus.run({
        ...options,
        group: outside(group),
        topics: topics.map(outside),
        handle: (delivery) => handle({ ...delivery, topic: delivery.topic.slice(prefix.length) }),
      });
    },
    lag: (group, topics) => bus.lag(outside(group), topics.map(outside)),
    rewind: async (group, topics) => {
      refuseGroup(group);
      await bus.rewind(outside(group), topics.map(outside));
    },
  };
  return { ...bus, ...inside };
}
