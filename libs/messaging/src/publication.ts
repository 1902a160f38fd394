import { type CloudEvent, ContractViolation } from '@patchtrail/contracts';
import { type Bus, BusRefusal } from './bus.js';

export type Outgoing = Readonly<{ topic: string; message: CloudEvent }>;

/** What an event says to others, in its order; nothing where it is nobody else's business. */
export type MessagesOf<E> = (event: E) => readonly Outgoing[] | Promise<readonly Outgoing[]>;

/** The part of a reaction that publishes. */
export type Publication<E> = Readonly<{
  react: (event: E) => Promise<void>;
  reactTogether: (events: readonly E[]) => Promise<void>;
  /**
   * `hopeless` for an event that the bus will never take or that breaks its contract, `outage` while
   * the bus is away, else `unclear`.
   */
  judge: (error: unknown) => 'hopeless' | 'outage' | 'unclear';
}>;

/**
 * Publishes what events say, those that wait together at once: one publication for each topic, in
 * the order of the events. Once it resolves the bus has acknowledged all of it; after a failure some
 * of it may be there.
 */
export function publicationOn<E>(
  bus: Pick<Bus, 'publish'>,
  messagesOf: MessagesOf<E>,
): Publication<E> {
  const reactTogether = async (events: readonly E[]) => {
    const byTopic = new Map<string, CloudEvent[]>();
    for (const event of events) {
      for (const { topic, message } of await messagesOf(event)) {
        const messages = byTopic.get(topic);
        if (messages === undefined) byTopic.set(topic, [message]);
        else messages.push(message);
      }
    }
    for (const [topic, messages] of byTopic) await publish(bus, topic, messages);
  };
  return { react: (event) => reactTogether([event]), reactTogether, judge };
}

/** The bus did not say no; it did not say anything that can be relied on. Publish again. */
class BusAway extends Error {
  constructor(cause: unknown) {
    super(`The bus did not take the messages: ${String(cause)}`, { cause });
    this.name = 'BusAway';
  }
}

async function publish(
  bus: Pick<Bus, 'publish'>,
  topic: string,
  messages: readonly CloudEvent[],
): Promise<void> {
  try {
    await bus.publish(topic, messages);
  } catch (error) {
    throw error instanceof BusRefusal ? error : new BusAway(error);
  }
}

function judge(error: unknown): 'hopeless' | 'outage' | 'unclear' {
  if (error instanceof BusAway) return 'outage';
  if (error instanceof ContractViolation) return 'hopeless';
  return error instanceof BusRefusal && error.isMessageFault ? 'hopeless' : 'unclear';
}
