import type { CloudEvent } from '@patchtrail/contracts';

export type Delivery = Readonly<{
  topic: string;
  partition: number;
  offset: bigint;
  message: CloudEvent;
}>;

export type ConsumerOptions = Readonly<{
  /** `<service>.<purpose>`: members of a group share the partitions. */
  group: string;
  topics: readonly string[];
  /** The offset is committed after it has returned; when it throws, the delivery comes again. */
  handle: (delivery: Delivery) => Promise<void>;
  signal: AbortSignal;
}>;

/**
 * A partitioned log with consumer groups, as Kafka is one: fixed partitions by key, order per key
 * only, committed offsets, redelivery of what was not committed, duplicates, replay from the start.
 */
export interface Bus {
  /** Idempotent. `partitions` is fixed for ever once a topic exists. */
  ensureTopic(topic: string, partitions: number): Promise<void>;

  /** Resolves when the messages are durable. It never joins a caller's transaction. */
  publish(topic: string, messages: readonly CloudEvent[]): Promise<void>;

  /**
   * Consumes until the signal aborts, then resolves once the delivery in hand is finished.
   * A new group starts at the beginning. A handler that throws is called again with the same
   * delivery after a pause; bounded retries and parking are the caller's, see `consume`.
   */
  run(options: ConsumerOptions): Promise<void>;

  /** Messages of a group's topics that are not committed yet. */
  lag(group: string, topics: readonly string[]): Promise<bigint>;

  /** Sets the group back to the start of its topics; refused while it has running members. */
  rewind(group: string, topics: readonly string[]): Promise<void>;
}
