import { types } from 'pg';
import type { EventMetadata, Json, StoredEvent } from '../event-store.js';
import { positionOfDigits } from '../position.js';

export const EVENT_COLUMNS =
  'e.position, e.stream, e.revision, e.id, e.type, e.data, e.metadata, e.recorded_at';

/** As the driver returns it with `EVENT_FORMAT`: all text but the revision, and what a query adds. */
export type EventRow = [
  position: string,
  stream: string,
  revision: number,
  id: string,
  type: string,
  data: string,
  metadata: string,
  recordedAt: string,
  added?: string | null,
];

const INT4: number = types.builtins.INT4;
const asText = (text: string) => text;

export const EVENT_FORMAT = {
  rowMode: 'array' as const,
  types: { getTypeParser: (oid: number) => (oid === INT4 ? Number : asText) },
};

export function storedEventOf(row: EventRow): StoredEvent {
  const [digits, stream, revision, id, type, dataText, metadataText, recorded] = row;
  // Only what passed the checks of an append was ever stored.
  const data = JSON.parse(dataText) as Json;
  const metadata = JSON.parse(metadataText) as EventMetadata;
  const position = positionOfDigits(digits);
  const recordedAt = instantOf(recorded);
  return { id, type, data, metadata, stream, revision, position, recordedAt };
}

/** `2026-11-21 09:00:00.5+00`, as the server writes it in UTC, with milliseconds. */
function instantOf(text: string): string {
  const milliseconds = text.slice(20, -3).padEnd(3, '0');
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${milliseconds}Z`;
}
