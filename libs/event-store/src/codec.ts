import type { Message } from '@patchtrail/event-sourcing';
import type { StoredEvent } from './event-store.js';

/** What a decoder may look at: not where and when the store put the event. */
export type DecodableEvent = Omit<StoredEvent, 'position' | 'recordedAt'>;

/** How the events of one kind of stream are read back. */
export type Codec<E> = Readonly<{
  /** Written to the metadata of every new event. */
  schemaVersion: number;
  /** @throws UndecodableEvent for a type or version that it does not know; it never skips one */
  decode: (event: DecodableEvent) => E;
}>;

export class UndecodableEvent extends Error {
  constructor(event: DecodableEvent, reason: string, options?: ErrorOptions) {
    super(`${event.type} at ${event.stream}@${event.revision}: ${reason}`, options);
    this.name = 'UndecodableEvent';
  }
}

/**
 * A codec by one decoder per event type, each of which checks the data and throws where it is not
 * what the type promises. Events of older schema versions are brought up to date before that.
 */
export function jsonCodec<E extends Message>(
  types: Readonly<Record<E['type'], (data: unknown) => E['data']>>,
  schemaVersion: number,
): Codec<E> {
  const decoders = new Map(Object.entries<(data: unknown) => E['data']>(types));
  const isKnown = (message: Message): message is E => decoders.has(message.type);

  const decode = (event: DecodableEvent): E => {
    if (event.metadata.schemaVersion > schemaVersion) {
      const version = event.metadata.schemaVersion;
      throw new UndecodableEvent(event, `schema version ${version} is newer than ${schemaVersion}`);
    }
    const decoder = decoders.get(event.type);
    if (decoder === undefined) throw new UndecodableEvent(event, 'unknown event type');
    const message = { type: event.type, data: decodeData(event, decoder) };
    if (!isKnown(message)) throw new UndecodableEvent(event, 'unknown event type');
    return message;
  };
  return { schemaVersion, decode };
}

function decodeData<D>(event: DecodableEvent, decoder: (data: unknown) => D): D {
  try {
    return decoder(event.data);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UndecodableEvent(event, reason, { cause });
  }
}
