import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Message } from '@patchtrail/event-sourcing';
import type { EventMetadata, Json, StoredEvent } from './event-store.js';
import type { Stream } from './fold-stream.js';
import { isPosition } from './position.js';
import type { PublishedShape } from './upcast.js';

/**
 * Golden streams: what deciders once recorded, kept in files, and folded by every later version. A
 * folder holds for each stream `<category>.v<schemaVersion>.<scenario>.golden.json` with its events,
 * which never changes, and `….state.golden.json` with the state that it folds to now. `SHA256SUMS`
 * lists the former.
 */

/** One kind of stream, as its golden streams are folded. */
export type GoldenKind = Readonly<{
  category: string;
  schemaVersion: number;
  published: readonly PublishedShape[];
  /** The state as JSON, maps as objects in the order of their keys. */
  fold: (events: readonly StoredEvent[]) => Json;
}>;

export type GoldenStream = Readonly<{
  /** The file's, without its ending. */
  name: string;
  scenario: string;
  events: readonly StoredEvent[];
}>;

const SUMS = 'SHA256SUMS';
const EVENTS = '.golden.json';
const STATE = '.state.golden.json';
const NAME =
  /^(?<category>[A-Za-z0-9]+)\.v(?<version>[1-9]\d*)\.(?<scenario>[a-z0-9-]+?)(?:_\d+)?$/;

export function goldenKind<S, C extends Message, E extends Message>(
  category: string,
  { decider, codec }: Pick<Stream<S, C, E>, 'decider' | 'codec'>,
): GoldenKind {
  const { schemaVersion, published } = codec;
  const fold = (events: readonly StoredEvent[]) => {
    const decoded = events.map((event) => codec.decode(event));
    return stateJson(decoded.reduce<S>((at, event) => decider.evolve(at, event), decider.initial));
  };
  return { category, schemaVersion, published, fold };
}

/** Every golden stream of a folder, in the order of their names. */
export function goldenStreams(folder: URL): readonly GoldenStream[] {
  return eventFiles(folder).map((file) => {
    const name = file.slice(0, -EVENTS.length);
    const { scenario } = partsOf(name);
    return { name, scenario, events: decodeEvents(readFileSync(new URL(file, folder), 'utf8')) };
  });
}

/** The events of one scenario over all of its streams, in their order and their newest versions. */
export function goldenEvents(folder: URL, scenario: string): readonly StoredEvent[] {
  const streams = goldenStreams(folder).filter((one) => one.scenario === scenario);
  const newest = new Map<string, number>();
  for (const { name } of streams) {
    const { category, version } = partsOf(name);
    newest.set(category, Math.max(version, newest.get(category) ?? 0));
  }
  return streams
    .filter(({ name }) => partsOf(name).version === newest.get(partsOf(name).category))
    .flatMap(({ events }) => events)
    .toSorted((one, other) => (one.position < other.position ? -1 : 1));
}

/** The state that a golden stream was last seen to fold to. */
export function goldenState(folder: URL, { name }: GoldenStream): Json {
  const parsed: unknown = JSON.parse(readFileSync(new URL(`${name}${STATE}`, folder), 'utf8'));
  return stateJson(parsed);
}

/** What is wrong with a folder: changed or unlisted files, and what no golden event stands for. */
export function goldenFaults(folder: URL, kinds: readonly GoldenKind[]): readonly string[] {
  const streams = goldenStreams(folder);
  return [
    ...sumFaults(folder),
    ...streams.flatMap((stream) => nameFaults(stream, kinds)),
    ...kinds.flatMap((kind) => coverageFaults(kind, streams)),
  ];
}

/**
 * Adds the streams of a scenario to a folder: new files only, and none that is there is written
 * again. The states are those that the streams fold to now.
 * @returns the names of the files that are new
 */
export function recordGolden(
  folder: URL,
  kinds: readonly GoldenKind[],
  scenario: string,
  events: readonly StoredEvent[],
): readonly string[] {
  const added: string[] = [];
  for (const { category, schemaVersion } of kinds) {
    const own = events.filter(({ stream }) => stream.startsWith(`${category}-`));
    const streams = [...new Set(own.map(({ stream }) => stream))];
    for (const [index, stream] of streams.entries()) {
      const suffix = streams.length > 1 ? `_${index}` : '';
      const file = `${category}.v${schemaVersion}.${scenario}${suffix}${EVENTS}`;
      if (existsSync(new URL(file, folder))) continue;
      const text = jsonText(own.filter((event) => event.stream === stream));
      writeFileSync(new URL(file, folder), text);
      writeFileSync(new URL(SUMS, folder), `${sha256(text)}  ${file}\n`, { flag: 'a' });
      added.push(file);
    }
  }
  writeStates(folder, kinds);
  return added;
}

function writeStates(folder: URL, kinds: readonly GoldenKind[]): void {
  for (const { name, events } of goldenStreams(folder)) {
    const state = kinds.find(({ category }) => name.startsWith(`${category}.`))?.fold(events);
    writeFileSync(new URL(`${name}${STATE}`, folder), jsonText(state));
  }
}

function jsonText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function eventFiles(folder: URL): readonly string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith(EVENTS));
  return files.filter((file) => !file.endsWith(STATE)).toSorted();
}

function sumFaults(folder: URL): readonly string[] {
  const lines = readFileSync(new URL(SUMS, folder), 'utf8').trimEnd().split('\n');
  const sums = new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
  const files = eventFiles(folder);
  return [
    ...[...sums.keys()].filter((file) => !files.includes(file)).map((file) => `${file}: is gone`),
    ...files.flatMap((file) => {
      const listed = sums.get(file);
      if (listed === undefined) return [`${file}: is not listed in ${SUMS}`];
      const isSame = sha256(readFileSync(new URL(file, folder), 'utf8')) === listed;
      return isSame ? [] : [`${file}: was changed after it had been recorded`];
    }),
  ];
}

function partsOf(name: string): Readonly<{ category: string; version: number; scenario: string }> {
  const { category = '', version = '0', scenario = '' } = NAME.exec(name)?.groups ?? {};
  return { category, version: Number(version), scenario };
}

function nameFaults({ name, events }: GoldenStream, kinds: readonly GoldenKind[]): string[] {
  const { category, version } = partsOf(name);
  if (!kinds.some((kind) => kind.category === category)) {
    return [`${name}: must be <category>.v<version>.<scenario> of a kind of stream`];
  }
  const isOfName = events.every(
    ({ stream, metadata }) =>
      stream.startsWith(`${category}-`) && metadata.schemaVersion === version,
  );
  return isOfName ? [] : [`${name}: holds events of another category or version`];
}

function coverageFaults(kind: GoldenKind, streams: readonly GoldenStream[]): readonly string[] {
  const events = streams
    .filter(({ name }) => name.startsWith(`${kind.category}.`))
    .flatMap((stream) => stream.events);
  const isCovered = ({ type, from, to }: PublishedShape) =>
    events.some(({ type: found, metadata: { schemaVersion } }) => {
      return found === type && schemaVersion >= from && schemaVersion <= to;
    });
  return kind.published
    .filter((shape) => !isCovered(shape))
    .map(({ type, from, to }) => `${kind.category}: no ${type} of schema version ${from} to ${to}`);
}

/** JSON with maps as objects, and a list of maps, which is one table in buckets, as one of them. */
function stateJson(value: unknown): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return value;
  if (value instanceof Map) return objectJson([...value]);
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    const isTable = items.length > 0 && items.every((item) => item instanceof Map);
    if (!isTable) return items.map(stateJson);
    return objectJson(items.flatMap((item) => (item instanceof Map ? [...item] : [])));
  }
  if (typeof value === 'object') return objectJson(Object.entries(value));
  throw new TypeError(`A state must not hold a ${typeof value}.`);
}

function objectJson(entries: readonly (readonly [unknown, unknown])[]): Json {
  const known = entries.filter(([, item]) => item !== undefined);
  const sorted = known.toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  return Object.fromEntries(sorted.map(([key, item]) => [String(key), stateJson(item)]));
}

const METADATA_TEXTS = [
  ...['commandId', '$correlationId', '$causationId', 'actor', 'occurredAt', 'traceparent'],
];

function decodeEvents(text: string): readonly StoredEvent[] {
  const parsed: unknown = JSON.parse(text);
  if (!Array.isArray(parsed)) throw new TypeError('A golden stream is a list of events.');
  return parsed.map((item: unknown) => {
    if (!isStoredEvent(item)) throw new TypeError(`Not an event: ${JSON.stringify(item)}`);
    return item;
  });
}

function isStoredEvent(item: unknown): item is StoredEvent {
  const event = fieldsOf(item);
  const isText = (name: string) => typeof event.get(name) === 'string';
  const position = event.get('position');
  return (
    ['id', 'type', 'stream', 'recordedAt'].every(isText) &&
    typeof event.get('revision') === 'number' &&
    typeof position === 'string' &&
    isPosition(position) &&
    event.has('data') &&
    isMetadata(event.get('metadata'))
  );
}

function isMetadata(item: unknown): item is EventMetadata {
  const metadata = fieldsOf(item);
  const isVersioned = typeof metadata.get('schemaVersion') === 'number';
  return isVersioned && METADATA_TEXTS.every((name) => typeof metadata.get(name) === 'string');
}

function fieldsOf(item: unknown): ReadonlyMap<string, unknown> {
  return new Map<string, unknown>(
    typeof item === 'object' && item !== null ? Object.entries(item) : [],
  );
}
