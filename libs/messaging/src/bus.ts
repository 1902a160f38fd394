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
  /**
   * A member handles several deliveries at once, of different keys: those of one key come in their
   * order, each after the one before has returned. Offsets are committed as far as everything
   * before them has returned. When it throws, the delivery comes again, and so does what is behind
   * it in its partition, what has returned already included. One that takes longer than five
   * minutes may lose its partitions, so that the delivery comes to another member too.
   */
  handle: (delivery: Delivery) => Promise<void>;
  /** Deliveries that a member handles at once, 1 to 100; 4 unless told. */
  atOnce?: number;
  signal: AbortSignal;
}>;

/**
 * A partitioned log with consumer groups, as Kafka is one: fixed partitions by key, order per key
 * only, committed offsets, redelivery of what was not committed, duplicates, replay from the start.
 */
export interface Bus {
  /**
   * Idempotent. `partitions` (1 to 1,000) is fixed for ever once a topic exists.
   * @throws BusRefusal `invalid-topic`, `invalid-partitions`, `partitions-fixed`
   */
  ensureTopic(topic: string, partitions: number): Promise<void>;

  /**
   * Resolves when the messages (at most 1,000, each at most 1 MiB of JSON) are durable. It never
   * joins a caller's transaction. A refusal comes before anything is written; after any other error
   * some partitions may hold the messages and others not, so publish all of them again.
   * @throws BusRefusal `unknown-topic`, `too-many-messages`, `invalid-message`, `message-too-large`
   */
  publish(topic: string, messages: readonly CloudEvent[]): Promise<void>;

  /**
   * Consumes until the signal aborts, then resolves once the deliveries in hand are finished.
   * A new group starts at the beginning. A handler that throws is called again with the same
   * delivery after a pause; bounded retries and parking are the caller's, see `consume`.
   * @throws BusRefusal `invalid-group`, `invalid-at-once`, `unknown-topic`
   */
  run(options: ConsumerOptions): Promise<void>;

  /** Messages of a group's topics that are not committed yet. @throws BusRefusal `unknown-topic` */
  lag(group: string, topics: readonly string[]): Promise<bigint>;

  /**
   * Sets the group back to the start of its topics; refused while it has running members.
   * @throws BusRefusal `group-running`, `unknown-topic`
   */
  rewind(group: string, topics: readonly string[]): Promise<void>;
}

export const MESSAGE_BYTES_MAX = 1_048_576;
export const MESSAGES_PER_PUBLISH_MAX = 1_000;
export const PARTITIONS_MAX = 1_000;
/** Unless told: two groups of a service leave connections of its ten to everybody else. */
export const AT_ONCE = 4;
export const AT_ONCE_MAX = 100;

/** Refusals that are the message's own fault: the same message will be refused for ever. */
export const MESSAGE_FAULTS = ['invalid-message', 'message-too-large'] as const;

export type BusRefusalCode =
  | (typeof MESSAGE_FAULTS)[number]
  | 'unknown-topic'
  | 'invalid-topic'
  | 'invalid-partitions'
  | 'partitions-fixed'
  | 'too-many-messages'
  | 'invalid-group'
  | 'invalid-at-once'
  | 'group-running';

/** What the bus will not do; nothing has changed. The message names the field and its rule. */
export class BusRefusal extends Error {
  constructor(
    readonly code: BusRefusalCode,
    readonly field: string,
    readonly rule: string,
  ) {
    super(`${code}: ${field}: ${rule}`);
    this.name = 'BusRefusal';
  }

  /** Whether publishing the same message again can never succeed. */
  get isMessageFault(): boolean {
    return MESSAGE_FAULTS.some((code) => code === this.code);
  }
}
