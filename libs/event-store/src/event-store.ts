/** JSON as RFC 8259 knows it; what an event carries. */
export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [k: string]: Json };

/** What every stored event says about its origin. Times are RFC 3339 in UTC. */
export type EventMetadata = Readonly<{
  schemaVersion: number;
  /** The command that led to the event; `handle` recognises a repeated command by it. */
  commandId: string;
  $correlationId: string;
  $causationId: string;
  /** Opaque id of the person, service or endpoint on whose behalf it happened. */
  actor: string;
  occurredAt: string;
  /** W3C trace context of the request that caused it. */
  traceparent: string;
}>;

export type NewEvent = Readonly<{
  /** A UUID. The same id may be used again only to repeat the same append. */
  id: string;
  type: string;
  data: Json;
  metadata: EventMetadata;
}>;

/** Opaque, ordered and exclusive: compare with `comparePositions`, never by its text. */
export type Position = string & { readonly brand: 'Position' };

export type StoredEvent = NewEvent &
  Readonly<{
    stream: string;
    /** 0 for the first event of a stream, then without a gap. */
    revision: number;
    position: Position;
    /** The store's clock; not promised to be monotonic. */
    recordedAt: string;
  }>;

/** The revision of the last event that the writer has seen, or that there must be none. */
export type ExpectedRevision = number | 'no-stream';

export type AppendResult = Readonly<{ revision: number; position: Position }>;

export type SubscriptionItem =
  | Readonly<{ kind: 'event'; event: StoredEvent }>
  /**
   * Everything up to `position` has been delivered. It follows each run of events, those that the
   * prefixes leave out included: a reader may gather a batch until it comes.
   */
  | Readonly<{ kind: 'caught-up'; position: Position }>;

export type SubscribeOptions = Readonly<{
  /** Exclusive; `null` starts at the beginning. */
  after: Position | null;
  /** Stream name prefixes with their dash: `approvalRequest-`. Empty: everything. */
  prefixes: readonly string[];
  signal: AbortSignal;
}>;

export type Direction = 'forwards' | 'backwards';

export type ReadOptions = Readonly<{
  /** First revision to return: 0 by default, backwards the newest. */
  from?: number;
  direction?: Direction;
  /** At most this many events; 1,000 by default, 10,000 at most. A shorter page is the last one. */
  maxCount?: number;
}>;

export type ReadAllOptions = Readonly<{
  /** Exclusive; `null`, the default, is the beginning, and backwards the end. */
  from?: Position | null;
  direction?: Direction;
  /** Stream name prefixes with their dash, as for a subscription. Empty, the default: everything. */
  prefixes?: readonly string[];
  /** At most this many events; 1,000 by default, 10,000 at most. */
  maxCount?: number;
}>;

/** A page of all events. It may be short or empty without being the last: a filter costs reading. */
export type AllPage = Readonly<{
  events: readonly StoredEvent[];
  /** Where the next page goes on; `null` where there was nothing more. */
  next: Position | null;
}>;

/**
 * Streams of events with optimistic concurrency and one total order.
 *
 * Promises only what every store can keep: appending the same events with the same ids to the same
 * stream at the same expected revision again is a success without effect; any other reuse of an
 * event id is undefined.
 *
 * One append holds 1 to 500 events and at most 1 MiB of data, metadata and types. A stream is named
 * by its category of letters and digits, a dash and an id; event ids are UUIDs in lower case.
 *
 * Whatever asks the store may throw `EventStoreUnavailable`; the same append may then be repeated.
 */
export interface EventStore {
  /** @throws WrongExpectedRevision, AppendTooLarge, InvalidEvent */
  append(
    stream: string,
    expected: ExpectedRevision,
    events: readonly NewEvent[],
  ): Promise<AppendResult>;

  /**
   * One page of a stream in the order of its revisions, or against it; empty for a stream that does
   * not exist. Of a stream whose beginning was archived or truncated it gives what is left.
   */
  read(stream: string, options?: ReadOptions): Promise<readonly StoredEvent[]>;

  /** One page of the events of all streams in the order of their positions, or against it. */
  readAll(options?: ReadAllOptions): Promise<AllPage>;

  /**
   * A text that tells this store from every other one, for as long as it exists. Positions mean
   * nothing in another store.
   */
  identity(): Promise<string>;

  /** The position of the newest event, `null` while the store is empty. */
  head(): Promise<Position | null>;

  /**
   * Events after a position in their order, then live. It may end at any time without an error:
   * resume from the last position that was acted on. Use it with `for await`, never with a listener.
   */
  subscribe(options: SubscribeOptions): AsyncIterable<SubscriptionItem>;

  comparePositions(a: Position, b: Position): number;
}

export const APPEND_BYTES_MAX = 1_048_576;

export class WrongExpectedRevision extends Error {
  constructor(
    readonly stream: string,
    readonly expected: ExpectedRevision,
    readonly actual: ExpectedRevision,
  ) {
    super(`Stream ${stream} is at revision ${String(actual)}, not ${String(expected)}.`);
    this.name = 'WrongExpectedRevision';
  }
}

export class AppendTooLarge extends Error {
  constructor(
    readonly stream: string,
    readonly bytes: number,
  ) {
    super(
      `An append to ${stream} holds ${String(bytes)} bytes; at most ${String(APPEND_BYTES_MAX)} are allowed.`,
    );
    this.name = 'AppendTooLarge';
  }
}

/** The store could not be reached or gave no answer; whether it did what it was asked is unknown. */
export class EventStoreUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EventStoreUnavailable';
  }
}

/** An event or stream name that no store would take: the field and its rule are in the message. */
export class InvalidEvent extends Error {
  constructor(
    readonly field: string,
    readonly rule: string,
  ) {
    super(`${field}: ${rule}`);
    this.name = 'InvalidEvent';
  }
}
