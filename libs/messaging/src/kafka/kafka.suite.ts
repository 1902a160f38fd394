import type { Delivery } from '../bus.js';
import { unique } from '../test-messages.suite.js';
import { type KafkaBus, type KafkaBusOptions, openKafkaBus } from './kafka-bus.js';

/** Buses and members of one spec file, which `close` ends together. */
export type Visit = Readonly<{
  open: (options?: Partial<KafkaBusOptions>) => Promise<KafkaBus>;
  follow: (bus: KafkaBus, topic: string, options?: FollowOptions) => Follower;
  close: () => Promise<void>;
}>;

type FollowOptions = Readonly<{
  group?: string;
  handle?: (delivery: Delivery, stop: AbortController) => Promise<void> | void;
}>;

export type Follower = Readonly<{
  group: string;
  /** Ids of what it has handled. */
  got: string[];
  stop: AbortController;
  done: Promise<void>;
}>;

export function visit(brokers: () => readonly string[]): Visit {
  const opened: KafkaBus[] = [];
  const followers: Follower[] = [];
  return {
    open: async (options = {}) => {
      const pace = { redeliveryMs: 10, heartbeatMs: 300, ...options.pace };
      const bus = await openKafkaBus({ brokers: brokers(), ...options, pace });
      opened.push(bus);
      return bus;
    },
    follow: (bus, topic, { group = unique('group'), handle } = {}) => {
      const got: string[] = [];
      const stop = new AbortController();
      const done = bus.run({
        group,
        topics: [topic],
        signal: stop.signal,
        handle: async (delivery) => {
          await handle?.(delivery, stop);
          got.push(delivery.message.id);
        },
      });
      // Awaited by who expects it to fail, and at the end.
      done.catch(() => undefined);
      const follower = { group, got, stop, done };
      followers.push(follower);
      return follower;
    },
    close: async () => {
      for (const { stop } of followers) stop.abort();
      await Promise.allSettled(followers.map(({ done }) => done));
      await Promise.all(opened.map((bus) => bus.close()));
      followers.length = 0;
      opened.length = 0;
    },
  };
}
