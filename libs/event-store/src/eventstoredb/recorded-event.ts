import type { AllStreamResolvedEvent, ResolvedEvent } from '@eventstore/db-client';
import type { EventMetadata, Json, StoredEvent } from '../event-store.js';
import { isStream } from '../check-append.js';
import { type LogPosition, positionOf } from './log-position.js';

export type Recorded = NonNullable<ResolvedEvent['event'] | AllStreamResolvedEvent['event']>;

const METADATA_TEXTS = [
  'commandId',
  '$correlationId',
  '$causationId',
  'actor',
  'occurredAt',
  'traceparent',
];

/** An event under the prefixes that this store did not write: it is never passed over in silence. */
export class ForeignEvent extends Error {
  constructor({ type, streamId, revision }: Recorded, reason: string) {
    super(`${type} at ${streamId}@${revision} was not written by this store: ${reason}`);
    this.name = 'ForeignEvent';
  }
}

/**
 * The event as it was appended; `null` for what is none of ours: streams and events of the server
 * itself, streams beyond the prefixes and, where no prefix says what is ours, whatever another
 * application wrote.
 * @throws ForeignEvent
 */
export function storedEventOf(recorded: Recorded, prefixes: readonly string[]): StoredEvent | null {
  const { streamId, type } = recorded;
  // A tombstone stands in the stream itself: the server wrote it, and no decider knows it.
  if (streamId.startsWith('$') || type.startsWith('$')) return null;
  if (prefixes.length > 0 && !prefixes.some((prefix) => streamId.startsWith(prefix))) return null;
  const read = decode(recorded);
  if (typeof read !== 'string') return read;
  if (prefixes.length > 0) throw new ForeignEvent(recorded, read);
  return null;
}

/** The event, or why it is none of ours. */
function decode(recorded: Recorded): StoredEvent | string {
  const { streamId: stream, id, type, created, position, isJson } = recorded;
  const [data, metadata]: readonly unknown[] = [recorded.data, recorded.metadata];
  if (!isStream(stream)) return 'no such stream name';
  if (!isJson || !isParsed(data)) return 'data is not JSON';
  if (!isMetadata(metadata)) return 'metadata';
  if (position === undefined) return 'position';
  return {
    id,
    type,
    data,
    metadata,
    stream,
    revision: Number(recorded.revision),
    position: positionOf(position),
    recordedAt: created.toISOString(),
  };
}

/** The client parses JSON, and hands out bytes for everything else. */
function isParsed(data: unknown): data is Json {
  return data !== undefined && !(data instanceof Uint8Array);
}

function isMetadata(value: unknown): value is EventMetadata {
  if (typeof value !== 'object' || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  return (
    typeof fields.get('schemaVersion') === 'number' &&
    METADATA_TEXTS.every((name) => typeof fields.get(name) === 'string')
  );
}

/** Where a record stands in the log of the server. */
export function placeOf(recorded: Recorded): LogPosition {
  if (recorded.position === undefined) {
    throw new Error(`${recorded.streamId}@${recorded.revision} came without its position.`);
  }
  return recorded.position;
}
