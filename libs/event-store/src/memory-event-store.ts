import { randomUUID } from 'node:crypto';
import { checkAppend, checkPrefixes, checkRead, checkReadAll } from './check-append.js';
import {
  type AllPage,
  type AppendResult,
  type EventStore,
  type ExpectedRevision,
  type NewEvent,
  type Position,
  type ReadAllOptions,
  type ReadOptions,
  type StoredEvent,
  type SubscribeOptions,
  type SubscriptionItem,
  WrongExpectedRevision,
} from './event-store.js';
import { compareNumbered, numberOf, positionFrom } from './position.js';

type Log = { readonly all: StoredEvent[]; readonly wakeUps: Set<() => void> };

/** An event store that lives as long as its process: for tests and for trying things out. */
export function createMemoryEventStore(options: { now?: () => Date } = {}): EventStore {
  const now = options.now ?? (() => new Date());
  const log: Log = { all: [], wakeUps: new Set() };
  const streams = new Map<string, StoredEvent[]>();

  const store = (
    stream: string,
    expected: ExpectedRevision,
    events: readonly NewEvent[],
  ): AppendResult => {
    const copies = checkAppend(stream, expected, events);
    const stored = streams.get(stream) ?? [];
    const first = expected === 'no-stream' ? 0 : expected + 1;
    if (stored.length !== first) return repeated(stream, expected, copies, stored);
    const recordedAt = now().toISOString();
    for (const [index, event] of copies.entries()) {
      const position = positionFrom(BigInt(log.all.length + 1));
      const revision = first + index;
      const added = Object.freeze({ ...event, stream, revision, position, recordedAt });
      stored.push(added);
      log.all.push(added);
    }
    streams.set(stream, stored);
    for (const wakeUp of [...log.wakeUps]) wakeUp();
    return resultOf(stored);
  };

  const page = (stream: string, readOptions: ReadOptions): readonly StoredEvent[] => {
    const { from, direction, maxCount } = checkRead(stream, readOptions);
    const stored = streams.get(stream) ?? [];
    if (direction === 'forwards') return stored.slice(from, from + maxCount);
    const end = Math.min(from + 1, stored.length);
    return stored.slice(Math.max(0, end - maxCount), end).reverse();
  };

  const identity = `memory:${randomUUID()}`;
  return {
    append: (stream, expected, events) => settle(() => store(stream, expected, events)),
    read: (stream, readOptions = {}) => settle(() => page(stream, readOptions)),
    readAll: (readOptions = {}) => settle(() => allPage(log, readOptions)),
    identity: () => Promise.resolve(identity),
    head: () => settle(() => log.all.at(-1)?.position ?? null),
    subscribe: (subscribeOptions) => follow(log, subscribeOptions),
    comparePositions: compareNumbered,
  };
}

/** Like every other store it answers later, and refuses by rejecting. */
function settle<T>(work: () => T): Promise<T> {
  return Promise.resolve().then(work);
}

function repeated(
  stream: string,
  expected: ExpectedRevision,
  events: readonly NewEvent[],
  stored: readonly StoredEvent[],
): AppendResult {
  const first = expected === 'no-stream' ? 0 : expected + 1;
  const there = stored.slice(first, first + events.length);
  const isSame =
    there.length === events.length && there.every(({ id }, index) => id === events[index]?.id);
  if (isSame) return resultOf(there);
  const actual = stored.length === 0 ? 'no-stream' : stored.length - 1;
  throw new WrongExpectedRevision(stream, expected, actual);
}

function resultOf(stored: readonly StoredEvent[]): AppendResult {
  const last = stored.at(-1);
  if (last === undefined) throw new Error('An append stores at least one event.');
  return { revision: last.revision, position: last.position };
}

function allPage(log: Log, options: ReadAllOptions): AllPage {
  const { from, direction, prefixes, maxCount } = checkReadAll(options);
  const start = Number(numberOf(from));
  const isForwards = direction === 'forwards';
  const rest = isForwards
    ? log.all.slice(start)
    : log.all.slice(0, from === null ? undefined : start - 1).reverse();
  const events = rest.filter(({ stream }) => isUnder(prefixes, stream)).slice(0, maxCount);
  const isLast = events.length < maxCount;
  return { events, next: isLast ? null : (events.at(-1)?.position ?? null) };
}

function isUnder(prefixes: readonly string[], stream: string): boolean {
  return prefixes.length === 0 || prefixes.some((prefix) => stream.startsWith(prefix));
}

async function* follow(log: Log, options: SubscribeOptions): AsyncGenerator<SubscriptionItem> {
  const { prefixes, signal } = options;
  checkPrefixes(prefixes);
  let at = Number(numberOf(options.after));
  let announced: Position | null = null;
  while (!signal.aborted) {
    const event = log.all[at];
    if (event !== undefined) {
      at += 1;
      if (isUnder(prefixes, event.stream)) yield { kind: 'event', event };
      continue;
    }
    const position = positionFrom(BigInt(at));
    if (position !== announced) {
      announced = position;
      yield { kind: 'caught-up', position };
      continue;
    }
    await appended(log, signal);
  }
}

function appended(log: Log, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wakeUp = () => {
      log.wakeUps.delete(wakeUp);
      signal.removeEventListener('abort', wakeUp);
      resolve();
    };
    log.wakeUps.add(wakeUp);
    signal.addEventListener('abort', wakeUp);
    if (signal.aborted) wakeUp();
  });
}
