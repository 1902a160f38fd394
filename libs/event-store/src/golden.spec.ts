import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Message } from '@patchtrail/event-sourcing';
import { jsonCodec } from './codec.js';
import { addTo, counter, counterCodec } from './counter.suite.js';
import type { StoredEvent } from './event-store.js';
import {
  goldenEvents,
  goldenFaults,
  goldenKind,
  goldenState,
  goldenStreams,
  recordGolden,
} from './golden.js';
import { createMemoryEventStore } from './memory-event-store.js';

const EVENTS = 'counter.v2.plain.golden.json';
const commandIds = [
  'b1c7f1b0-6a60-4f0e-9d38-5f6f3a1f0c01',
  'b1c7f1b0-6a60-4f0e-9d38-5f6f3a1f0c02',
  'b1c7f1b0-6a60-4f0e-9d38-5f6f3a1f0c03',
];

describe('golden streams', () => {
  let path: string;
  let folder: URL;
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'golden-'));
    folder = pathToFileURL(`${path}/`);
  });
  afterEach(() => rmSync(path, { recursive: true }));

  const kinds = [goldenKind('counter', { decider: counter, codec: counterCodec })];
  const counted = async (streams: readonly string[]): Promise<readonly StoredEvent[]> => {
    const store = createMemoryEventStore();
    for (const [index, stream] of streams.entries()) {
      await addTo(store, stream, index + 1, commandIds[index] ?? '');
    }
    return (await store.readAll()).events;
  };
  const text = (file: string) => readFileSync(join(path, file), 'utf8');
  const change = (file: string, to: (text: string) => string) =>
    writeFileSync(join(path, file), to(text(file)));

  it('are recorded once, stream by stream, with their states', async () => {
    const events = await counted(['counter-a', 'counter-b', 'counter-a']);
    expect(recordGolden(folder, kinds, 'two', events)).toEqual([
      'counter.v2.two_0.golden.json',
      'counter.v2.two_1.golden.json',
    ]);
    const before = text('counter.v2.two_0.golden.json');
    const others = await counted(['counter-a', 'counter-b']);
    expect(recordGolden(folder, kinds, 'two', others)).toEqual([]);
    expect(text('counter.v2.two_0.golden.json')).toBe(before);
    expect(goldenFaults(folder, kinds)).toEqual([]);
    expect(goldenStreams(folder).map((one) => goldenState(folder, one))).toEqual([4, 2]);
    expect(goldenEvents(folder, 'two')).toEqual(events);
    expect(goldenEvents(folder, 'tw')).toEqual([]);
  });

  it('of a newer version stand beside the older ones, and come instead of them', async () => {
    recordGolden(folder, kinds, 'plain', await counted(['counter-a']));
    const added = () => ({ by: 1 });
    const codec = jsonCodec<Message<'Added', { by: number }>>({ Added: added }, 10);
    const events = (await counted(['counter-a', 'counter-a'])).map((event) => {
      return { ...event, metadata: { ...event.metadata, schemaVersion: 10 } };
    });
    const newer = [goldenKind('counter', { decider: counter, codec })];
    expect(recordGolden(folder, newer, 'plain', events)).toEqual(['counter.v10.plain.golden.json']);
    expect(goldenStreams(folder)).toHaveLength(2);
    expect(goldenEvents(folder, 'plain')).toEqual(events);
  });

  it('show the state anew where a fold has changed', async () => {
    recordGolden(folder, kinds, 'plain', await counted(['counter-a']));
    const evolve = (total: number) => total + 50;
    const other = [goldenKind('counter', { decider: { ...counter, evolve }, codec: counterCodec })];
    const [stream] = goldenStreams(folder);
    expect(stream).toBeDefined();
    if (stream === undefined) return;
    expect(other[0]?.fold(stream.events)).not.toEqual(goldenState(folder, stream));
    recordGolden(folder, other, 'plain', []);
    expect(goldenState(folder, stream)).toBe(50);
  });

  it('give maps as objects and a table in buckets as one', () => {
    const table = { initial: 0, decide: () => [], evolve: () => 0 };
    const nested = {
      ...table,
      initial: { buckets: [new Map([['b', 1]]), new Map([['a', { x: undefined, y: null }]])] },
      evolve: (state: object) => state,
    };
    const kind = goldenKind('counter', { decider: nested, codec: counterCodec });
    expect(JSON.stringify(kind.fold([]))).toBe('{"buckets":{"a":{"y":null},"b":1}}');
    const wrong = { ...table, initial: () => 0, evolve: () => () => 0 };
    const withFunction = goldenKind('counter', { decider: wrong, codec: counterCodec });
    expect(() => withFunction.fold([])).toThrow('A state must not hold a function.');
  });

  it.each<[string, () => void, string]>([
    [
      'was changed',
      () => change(EVENTS, (was) => was.replace('"by": 1', '"by": 2')),
      `${EVENTS}: was changed after it had been recorded`,
    ],
    ['is gone', () => rmSync(join(path, EVENTS)), `${EVENTS}: is gone`],
    [
      'is not listed',
      () => change('SHA256SUMS', () => ''),
      `${EVENTS}: is not listed in SHA256SUMS`,
    ],
    [
      'is of no kind',
      () => writeFileSync(join(path, 'other.v1.plain.golden.json'), '[]'),
      'other.v1.plain: must be <category>.v<version>.<scenario> of a kind of stream',
    ],
    [
      'is of another version than its name says',
      () => writeFileSync(join(path, 'counter.v3.plain.golden.json'), text(EVENTS)),
      'counter.v3.plain: holds events of another category or version',
    ],
  ])('are at fault where a file %s', async (_, spoil, fault) => {
    recordGolden(folder, kinds, 'plain', await counted(['counter-a']));
    spoil();
    expect(goldenFaults(folder, kinds)).toContain(fault);
  });

  it('are at fault where a type has no event of a shape that was published', async () => {
    recordGolden(folder, kinds, 'plain', await counted(['counter-a']));
    type Event = Message<'Added', { by: number }> | Message<'Emptied', object>;
    const types = { Added: () => ({ by: 1 }), Emptied: () => ({}) };
    const codec = jsonCodec<Event>(types, 3, { Added: { 1: (data) => data, 2: (data) => data } });
    const decider = { initial: 0, decide: () => [], evolve: () => 0 };
    expect(goldenFaults(folder, [goldenKind('counter', { decider, codec })])).toEqual([
      'counter: no Added of schema version 1 to 1',
      'counter: no Added of schema version 3 to 3',
      'counter: no Emptied of schema version 1 to 3',
    ]);
  });

  it.each(['{}', '[1]', '[{"id":"a"}]'])('are read or refused: %s', (content) => {
    writeFileSync(join(path, EVENTS), content);
    expect(() => goldenStreams(folder)).toThrow(/golden stream is a list of events|Not an event/);
  });
});
