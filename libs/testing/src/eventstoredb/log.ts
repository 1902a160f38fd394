/** What a client proposes: one event, not yet placed. */
export type Proposed = {
  readonly id: string;
  readonly type: string;
  readonly isJson: boolean;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
};

/** An event in the log. `position` and `end` are byte offsets; `end` is the next event's position. */
export type Recorded = Proposed & {
  readonly stream: string;
  readonly revision: number;
  readonly createdMs: number;
  readonly position: number;
  readonly end: number;
};

export type StreamMetadata = {
  readonly truncateBefore?: number;
  readonly maxCount?: number;
  readonly maxAgeSeconds?: number;
  readonly acl?: unknown;
};

/**
 * Everything the double remembers. It never forgets: a truncated or deleted stream's events stay
 * readable in $all, as they do on a server until every node is scavenged
 * (https://github.com/kurrent-io/KurrentDB/blob/v26.1.0/docs/server/features/streams.md).
 */
export type Log = {
  readonly all: readonly Recorded[];
  events(stream: string): readonly Recorded[];
  /** -1 where the stream was never written to. */
  lastRevision(stream: string): number;
  metadata(stream: string): StreamMetadata;
  isTombstoned(stream: string): boolean;
  /** The latest event that carries the id, in whatever stream. */
  byId(id: string): Recorded | undefined;
  /** The position that the next event gets. */
  end(): number;
  /** Index in `all` of the first event at or after the position. */
  indexAt(position: number): number;
  /** Where a reader may start: an event, the start or the end of the log. */
  isBoundary(position: number): boolean;
  write(stream: string, events: readonly Proposed[]): readonly Recorded[];
  tombstone(stream: string, event: Proposed): Recorded;
  /** Calls back after every write until the returned function is called. */
  onWrite(listener: () => void): () => void;
};

/** The revision of the event that ends a tombstoned stream; on the wire it is the largest int64. */
export const TOMBSTONE = Number.MAX_SAFE_INTEGER;

// The log's first record tells the epoch and is not an event: no event has position 0.
const FIRST_EVENT = 198;
const RECORD_OVERHEAD = 96;

const METADATA_PREFIX = '$$';

export function createLog(now: () => number = Date.now): Log {
  const all: Recorded[] = [];
  const streams = new Map<string, Recorded[]>();
  const tombstones = new Set<string>();
  const metadata = new Map<string, StreamMetadata>();
  const ids = new Map<string, Recorded>();
  const listeners = new Set<() => void>();
  let end = FIRST_EVENT;

  const place = (stream: string, revision: number, event: Proposed): Recorded => {
    const position = end;
    end += RECORD_OVERHEAD + 2 * (stream.length + event.type.length);
    end += event.data.length + event.metadata.length;
    const recorded = { ...event, stream, revision, createdMs: now(), position, end };
    all.push(recorded);
    ids.set(event.id, recorded);
    return recorded;
  };
  const tell = (): void => {
    for (const listener of [...listeners]) listener();
  };
  const indexAt = (position: number): number => {
    let low = 0;
    let high = all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((all[middle]?.position ?? Infinity) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  return {
    all,
    events: (stream) => streams.get(stream) ?? [],
    lastRevision: (stream) => (streams.get(stream)?.length ?? 0) - 1,
    // A metadata stream keeps its last event only (https://github.com/EventStore/EventStore/blob/
    // oss-v24.6.0/src/EventStore.Core/Services/Storage/ReaderIndex/IndexReader.cs, metastreamMetadata).
    metadata: (stream) =>
      stream.startsWith(METADATA_PREFIX) ? { maxCount: 1 } : (metadata.get(stream) ?? {}),
    isTombstoned: (stream) => tombstones.has(stream),
    byId: (id) => ids.get(id),
    end: () => end,
    indexAt,
    isBoundary: (position) =>
      position === 0 || position === end || all[indexAt(position)]?.position === position,
    write: (stream, events) => {
      const held = streams.get(stream) ?? [];
      streams.set(stream, held);
      const recorded = events.map((event) => {
        const placed = place(stream, held.length, event);
        held.push(placed);
        return placed;
      });
      const last = recorded.at(-1);
      if (last !== undefined && stream.startsWith(METADATA_PREFIX))
        metadata.set(stream.slice(METADATA_PREFIX.length), parseMetadata(last.data));
      tell();
      return recorded;
    },
    tombstone: (stream, event) => {
      tombstones.add(stream);
      const placed = place(stream, TOMBSTONE, event);
      tell();
      return placed;
    },
    onWrite: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function metadataStreamOf(stream: string): string {
  return `${METADATA_PREFIX}${stream}`;
}

export function jsonEvent(id: string, type: string, data: unknown): Proposed {
  return { id, type, isJson: true, data: Buffer.from(JSON.stringify(data)), metadata: EMPTY };
}

const EMPTY = new Uint8Array();

export function parseJson(data: Uint8Array): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(data).toString('utf8'));
    return isObject(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseMetadata(data: Uint8Array): StreamMetadata {
  const parsed = parseJson(data);
  const { $tb, $maxCount, $maxAge, $acl } = parsed;
  return {
    ...(typeof $tb === 'number' ? { truncateBefore: $tb } : {}),
    ...(typeof $maxCount === 'number' ? { maxCount: $maxCount } : {}),
    ...(typeof $maxAge === 'number' ? { maxAgeSeconds: $maxAge } : {}),
    ...($acl === undefined ? {} : { acl: $acl }),
  };
}

/** A soft-deleted stream is one truncated before the largest int64. */
export function isSoftDeleted(log: Log, stream: string): boolean {
  return (log.metadata(stream).truncateBefore ?? 0) >= TOMBSTONE;
}

/** The first revision that a reader of the stream is shown. */
export function firstRevision(log: Log, stream: string, nowMs = Date.now()): number {
  const { truncateBefore = 0, maxCount, maxAgeSeconds } = log.metadata(stream);
  const last = log.lastRevision(stream);
  const first = Math.max(truncateBefore, maxCount === undefined ? 0 : last - maxCount + 1, 0);
  if (maxAgeSeconds === undefined) return first;
  const oldest = nowMs - maxAgeSeconds * 1000;
  const young = log.events(stream).findIndex(({ createdMs }) => createdMs >= oldest);
  return young < 0 ? last + 1 : Math.max(first, young);
}
