import { randomUUID } from 'node:crypto';
import {
  firstRevision,
  isSoftDeleted,
  jsonEvent,
  type Log,
  metadataStreamOf,
  parseJson,
  type Proposed,
  type Recorded,
} from './log.js';

/** The revision that a writer says the stream has. */
export type Expected = number | 'any' | 'no_stream' | 'stream_exists';

/** `current` is -1 for a stream without events; `position` is missing where it cannot be told. */
export type Outcome =
  | { readonly kind: 'done'; readonly revision: number; readonly position?: number }
  | { readonly kind: 'wrong-revision'; readonly current: number }
  | { readonly kind: 'deleted' };

type Write = { readonly kind: 'write'; readonly undelete: boolean; readonly current: number };
type Check = Outcome | Write;

// The largest int64 is not a JavaScript number, so the text is written as it is.
const SOFT_DELETED = Buffer.from('{"$tb":9223372036854775807}');

/**
 * Appends, or finds that these events are there already. The rules are those of CheckCommit in
 * https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Services/Storage/ReaderIndex/IndexWriter.cs
 */
export function append(
  log: Log,
  stream: string,
  expected: Expected,
  events: readonly Proposed[],
): Outcome {
  const check = checkCommit(
    log,
    stream,
    expected,
    events.map(({ id }) => id),
  );
  if (check.kind !== 'write') return check;
  const owner = stream.startsWith('$$') ? stream.slice(2) : null;
  const ownerWasDeleted = owner !== null && isSoftDeleted(log, owner);
  const recorded = log.write(stream, events);
  // A soft-deleted stream lives on behind its old events, by a write to it or to its metadata.
  if (check.undelete) truncate(log, stream, check.current + 1);
  if (owner !== null && ownerWasDeleted) truncate(log, owner, log.lastRevision(owner) + 1);
  const last = recorded.at(-1);
  return {
    kind: 'done',
    revision: last?.revision ?? check.current,
    ...(last === undefined ? {} : { position: last.position }),
  };
}

/**
 * Soft deletion truncates by metadata; a tombstone forbids the name for ever. The rules are those of
 * WriteDelete in
 * https://github.com/EventStore/EventStore/blob/oss-v24.6.0/src/EventStore.Core/Services/Storage/StorageWriterService.cs
 */
export function remove(log: Log, stream: string, expected: Expected, hard: boolean): Outcome {
  const id = randomUUID();
  const check = checkCommit(log, stream, expected, [id]);
  if (check.kind !== 'write') return check;
  if (hard) {
    const { position } = log.tombstone(stream, jsonEvent(id, '$streamDeleted', {}));
    return { kind: 'done', revision: check.current, position };
  }
  const meta = metadataStreamOf(stream);
  if (check.current < 0 && log.lastRevision(meta) < 0)
    return { kind: 'wrong-revision', current: -1 };
  const event = { ...jsonEvent(id, '$metadata', {}), data: SOFT_DELETED };
  const position = log.write(meta, [event]).at(-1)?.position;
  return {
    kind: 'done',
    revision: check.current,
    ...(position === undefined ? {} : { position }),
  };
}

function checkCommit(log: Log, stream: string, expected: Expected, ids: readonly string[]): Check {
  if (log.isTombstoned(stream)) return { kind: 'deleted' };
  const undelete = isSoftDeleted(log, stream);
  const write: Write = { kind: 'write', undelete, current: log.lastRevision(stream) };
  switch (expected) {
    case 'any':
      return foundById(log, stream, ids) ?? write;
    case 'stream_exists':
      if (undelete) return { kind: 'deleted' };
      if (!wasTouched(log, stream)) return conflict(log, stream);
      return foundById(log, stream, ids) ?? write;
    case 'no_stream':
    default:
      return checkRevision(log, stream, expected, ids, write);
  }
}

function checkRevision(
  log: Log,
  stream: string,
  expected: number | 'no_stream',
  ids: readonly string[],
  write: Write,
): Check {
  const revision = expected === 'no_stream' ? -1 : expected;
  if (revision === write.current) return write;
  const found = foundBehind(log, stream, revision, ids);
  if (found !== null) return found;
  return expected === 'no_stream' && write.undelete ? write : conflict(log, stream);
}

function conflict(log: Log, stream: string): Outcome {
  return { kind: 'wrong-revision', current: log.lastRevision(stream) };
}

function wasTouched(log: Log, stream: string): boolean {
  return log.lastRevision(stream) >= 0 || log.lastRevision(metadataStreamOf(stream)) >= 0;
}

/** Without an exact revision the ids alone tell, as far as the latest use of each is remembered. */
function foundById(log: Log, stream: string, ids: readonly string[]): Outcome | null {
  const known = ids.map((id) => log.byId(id));
  if (known[0]?.stream !== stream) return null;
  return known.every((event) => event?.stream === stream)
    ? already(log, known.at(-1))
    : conflict(log, stream);
}

/** With a revision the ids are compared with those stored right behind it. */
function foundBehind(
  log: Log,
  stream: string,
  revision: number,
  ids: readonly string[],
): Outcome | null {
  const stored = log.events(stream).slice(revision + 1, revision + 1 + ids.length);
  if (ids.length === 0 || stored[0]?.id !== ids[0]) return null;
  return ids.every((id, offset) => stored[offset]?.id === id)
    ? already(log, stored.at(-1))
    : conflict(log, stream);
}

/** The original's revision and position; no position where it can no longer be read. */
function already(log: Log, last: Recorded | undefined): Outcome {
  if (last === undefined) throw new Error('An append without events cannot be a repetition.');
  const readable = last.revision >= firstRevision(log, last.stream);
  return {
    kind: 'done',
    revision: last.revision,
    ...(readable ? { position: last.position } : {}),
  };
}

function truncate(log: Log, stream: string, before: number): void {
  const meta = metadataStreamOf(stream);
  const held = parseJson(log.events(meta).at(-1)?.data ?? new Uint8Array());
  log.write(meta, [jsonEvent(randomUUID(), '$metadata', { ...held, $tb: before })]);
}
