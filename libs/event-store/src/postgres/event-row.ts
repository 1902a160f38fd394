import type { EventMetadata, Json, StoredEvent } from '../event-store.js';
import { positionFrom } from '../position.js';

export const EVENT_COLUMNS = 'position, stream, revision, id, type, data, metadata, recorded_at';

/** As the driver returns it: bigint as text, json parsed. */
export type EventRow = {
  position: string;
  stream: string;
  revision: number;
  id: string;
  type: string;
  data: Json;
  metadata: EventMetadata;
  recorded_at: Date;
};

export function storedEventOf(row: EventRow): StoredEvent {
  const { stream, revision, id, type, data, metadata } = row;
  const position = positionFrom(BigInt(row.position));
  const recordedAt = row.recorded_at.toISOString();
  return { id, type, data, metadata, stream, revision, position, recordedAt };
}
