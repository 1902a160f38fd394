import type { Message } from '@patchtrail/event-sourcing';
import type { StoredEvent } from './event-store.js';
import { type PublishedShape, upcasting, type Upcasters } from './upcast.js';

/** What a decoder may look at: not where and when the store put the event. */
export type DecodableEvent = Omit<StoredEvent, 'position' | 'recordedAt'>;

/** How the events of one kind of stream are read back. */
export type Codec<E> = Readonly<{
  /** Written to the metadata of every new event. */
  schemaVersion: number;
  /** @throws UndecodableEvent for a type or version that it does not know; it never skips one */
  decode: (event: DecodableEvent) => E;
  /** What may stand in a stream: each type, once per shape that its data has had. */
  published: readonly PublishedShape[];
}>;

export class UndecodableEvent extends Error {
  constructor(event: DecodableEvent, reason: string, options?: ErrorOptions) {
    super(`${event.type} at ${event.stream}@${event.revision}: ${reason}`, options);
    this.name = 'UndecodableEvent';
  }
}

/**
 * A codec by one decoder per event type, each of which checks the data and throws where it is not
 * what the type promises. Data of older schema versions goes through the upcasters before that, so
 * that decoders know the current version only.
 */
export function jsonCodec<E extends Message>(
  types: Readonly<Record<E['type'], (data: unknown) => E['data']>>,
  schemaVersion: number,
  upcasters?: Upcasters<E['type']>,
): Codec<E> {
  const decoders = new Map(Object.entries<(data: unknown) => E['data']>(types));
  const { upcast, published } = upcasting([...decoders.keys()], upcasters ?? {}, schemaVersion);
  const isKnown = (message: Message): message is E => decoders.has(message.type);

  const decode = (event: DecodableEvent): E => {
    const { type, metadata } = event;
    checkVersion(event, schemaVersion);
    const decoder = decoders.get(type);
    if (decoder === undefined) throw new UndecodableEvent(event, 'unknown event type');
    const data = readOrRefused(event, () =>
      decoder(upcast(type, metadata.schemaVersion, event.data)),
    );
    const message = { type, data };
    if (!isKnown(message)) throw new UndecodableEvent(event, 'unknown event type');
    return message;
  };
  return { schemaVersion, decode, published };
}

function checkVersion(event: DecodableEvent, known: number): void {
  const version = event.metadata.schemaVersion;
  if (version > known) {
    throw new UndecodableEvent(event, `schema version ${version} is newer than ${known}`);
  }
  if (!Number.isInteger(version) || version < 1) {
    throw new UndecodableEvent(event, `schema version ${version} is not a whole number from 1`);
  }
}

function readOrRefused<D>(event: DecodableEvent, read: () => D): D {
  try {
    return read();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UndecodableEvent(event, reason, { cause });
  }
}
