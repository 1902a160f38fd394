import { ContractViolation } from '@patchtrail/contracts';
import { type Bus, BusRefusal } from './bus.js';

/** The bus did not say no; it did not say anything that can be relied on. Publish again. */
export class BusAway extends Error {
  constructor(cause: unknown) {
    super(`The bus did not take the messages: ${String(cause)}`, { cause });
    this.name = 'BusAway';
  }
}

/** The same bus for publishing; whatever is no refusal becomes `BusAway`. */
export function publisherOn(bus: Pick<Bus, 'publish'>): Pick<Bus, 'publish'> {
  return {
    publish: async (topic, messages) => {
      try {
        await bus.publish(topic, messages);
      } catch (error) {
        throw error instanceof BusRefusal ? error : new BusAway(error);
      }
    },
  };
}

/**
 * What a failure to publish says about the event behind it: `hopeless` for one that the bus will
 * never take or that breaks its contract, `outage` while the bus is away, else `unclear`.
 */
export function judgePublication(error: unknown): 'hopeless' | 'outage' | 'unclear' {
  if (error instanceof BusAway) return 'outage';
  if (error instanceof ContractViolation) return 'hopeless';
  return error instanceof BusRefusal && error.isMessageFault ? 'hopeless' : 'unclear';
}
