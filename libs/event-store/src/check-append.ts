import { validate as isUuid } from 'uuid';
import {
  APPEND_BYTES_MAX,
  AppendTooLarge,
  type EventMetadata,
  type ExpectedRevision,
  InvalidEvent,
  type NewEvent,
  type ReadAllOptions,
  type ReadOptions,
} from './event-store.js';
import { parseInstant } from './instant.js';
import { jsonBytesAtMost, toJson } from './json.js';

/** What every adapter refuses, so that none takes what another would not. */

export const APPEND_EVENTS_MAX = 500;
const READ_COUNT_DEFAULT = 1_000;
const READ_COUNT_MAX = 10_000;
const METADATA_TEXT_MAX = 512;
const REVISION_MAX = 2_147_483_647;

const STREAM = /^[A-Za-z][A-Za-z0-9]{0,63}-[\w.:~-]{1,190}$/;
const PREFIX = /^[A-Za-z][A-Za-z0-9]{0,63}-[\w.:~-]{0,190}$/;
const TYPE = /^[A-Za-z][\w.-]{0,127}$/;

function demand(holds: boolean, field: string, rule: string): asserts holds {
  if (!holds) throw new InvalidEvent(field, rule);
}

export function isStream(name: string): boolean {
  return STREAM.test(name);
}

function checkStream(stream: string): void {
  demand(
    isStream(stream),
    'stream',
    'must be a category of letters and digits, a dash and an id of letters, digits and _ . : ~ -',
  );
}

export function checkPrefixes(prefixes: readonly string[]): void {
  for (const [index, prefix] of prefixes.entries()) {
    demand(
      PREFIX.test(prefix),
      `prefixes[${index}]`,
      'must be a category of letters and digits with its dash',
    );
  }
}

/** The page that is asked for, with the defaults filled in. */
export function checkRead(stream: string, options: ReadOptions): Required<ReadOptions> {
  checkStream(stream);
  const { direction = 'forwards', maxCount = READ_COUNT_DEFAULT } = options;
  const from = options.from ?? (direction === 'forwards' ? 0 : REVISION_MAX);
  demand(isRevision(from), 'from', 'must be a whole number of at least 0');
  checkPage(direction, maxCount);
  return { from, direction, maxCount };
}

/** The page of all events that is asked for, with the defaults filled in. */
export function checkReadAll(options: ReadAllOptions): Required<ReadAllOptions> {
  const { from = null, direction = 'forwards', prefixes = [] } = options;
  const { maxCount = READ_COUNT_DEFAULT } = options;
  checkPrefixes(prefixes);
  checkPage(direction, maxCount);
  return { from, direction, prefixes, maxCount };
}

function checkPage(direction: string, maxCount: number): void {
  demand(
    direction === 'forwards' || direction === 'backwards',
    'direction',
    'must be forwards or backwards',
  );
  demand(
    Number.isInteger(maxCount) && maxCount >= 1 && maxCount <= READ_COUNT_MAX,
    'maxCount',
    `must be a whole number from 1 to ${READ_COUNT_MAX}`,
  );
}

/** Frozen copies of the events of a valid append. */
export function checkAppend(
  stream: string,
  expected: ExpectedRevision,
  events: readonly NewEvent[],
): readonly NewEvent[] {
  checkStream(stream);
  demand(
    expected === 'no-stream' || isRevision(expected),
    'expected',
    'must be a whole number of at least 0, or no-stream',
  );
  demand(
    events.length >= 1 && events.length <= APPEND_EVENTS_MAX,
    'events',
    `must be 1 to ${APPEND_EVENTS_MAX} events`,
  );
  const copies = events.map((event, index) => checkEvent(event, `events[${index}]`));
  checkIds(copies);
  checkSize(stream, copies);
  return copies;
}

function isRevision(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= REVISION_MAX;
}

function checkEvent(event: NewEvent, field: string): NewEvent {
  demand(
    isUuid(event.id) && event.id === event.id.toLowerCase(),
    `${field}.id`,
    'must be a UUID in lower case',
  );
  demand(
    TYPE.test(event.type),
    `${field}.type`,
    'must start with a letter and hold at most 128 letters, digits and _ . -',
  );
  return Object.freeze({
    id: event.id,
    type: event.type,
    data: toJson(event.data, `${field}.data`),
    metadata: checkMetadata(event.metadata, `${field}.metadata`),
  });
}

function checkMetadata(metadata: EventMetadata, field: string): EventMetadata {
  const { schemaVersion, commandId, $correlationId, $causationId, actor } = metadata;
  const { occurredAt, traceparent } = metadata;
  demand(
    Number.isInteger(schemaVersion) && schemaVersion >= 1,
    `${field}.schemaVersion`,
    'must be a whole number of at least 1',
  );
  const texts = { commandId, $correlationId, $causationId, actor, occurredAt, traceparent };
  for (const [key, text] of Object.entries(texts)) {
    demand(
      typeof text === 'string' && text.length >= 1 && text.length <= METADATA_TEXT_MAX,
      `${field}.${key}`,
      `must be text of 1 to ${METADATA_TEXT_MAX} characters`,
    );
  }
  demand(
    occurredAt.endsWith('Z') && parseInstant(occurredAt) !== null,
    `${field}.occurredAt`,
    'must be an RFC 3339 instant in UTC',
  );
  return Object.freeze({ schemaVersion, ...texts });
}

function checkIds(events: readonly NewEvent[]): void {
  const seen = new Set<string>();
  for (const [index, { id }] of events.entries()) {
    demand(!seen.has(id), `events[${index}].id`, 'must differ from the other ids of its append');
    seen.add(id);
  }
}

function checkSize(stream: string, events: readonly NewEvent[]): void {
  // Nearly every append is far below the limit, whatever its text looks like as JSON.
  if (appendBytesAtMost(events) <= APPEND_BYTES_MAX) return;
  const bytes = appendBytes(events);
  if (bytes > APPEND_BYTES_MAX) throw new AppendTooLarge(stream, bytes);
}

function appendBytesAtMost(events: readonly NewEvent[]): number {
  return events.reduce(
    (sum, { type, data, metadata }) =>
      sum + jsonBytesAtMost(data) + jsonBytesAtMost(metadata) + 2 * type.length,
    0,
  );
}

/** As EventStoreDB counts: data, metadata, and two bytes for each character of a type. */
export function appendBytes(events: readonly NewEvent[]): number {
  return events
    .map(({ type, data, metadata }) => {
      const text = JSON.stringify(data) + JSON.stringify(metadata);
      return Buffer.byteLength(text) + 2 * type.length;
    })
    .reduce((sum, bytes) => sum + bytes, 0);
}
