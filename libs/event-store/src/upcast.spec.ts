import { describe, expect, it } from '@jest/globals';
import type { Message } from '@patchtrail/event-sourcing';
import fc from 'fast-check';
import { jsonCodec, UndecodableEvent } from './codec.js';
import type { Json } from './event-store.js';
import { metadata, newEvent } from './test-events.suite.js';
import type { Upcasters } from './upcast.js';

/**
 * Three versions of a window: at first its start and length in minutes; then length in
 * milliseconds; now an end instead of a length, and the zone that was always UTC until then.
 */
type WindowEvent =
  | Message<'WindowSet', { from: string; until: string; timeZone: string }>
  | Message<'WindowCleared', { by: string }>;

function record(data: unknown): Readonly<Record<string, unknown>> {
  if (typeof data === 'object' && data !== null) return { ...data };
  throw new TypeError('data: must be an object');
}

function field<T extends 'string' | 'number'>(
  data: unknown,
  name: string,
  type: T,
): T extends 'string' ? string : number;
function field(data: unknown, name: string, type: 'string' | 'number') {
  const value = record(data)[name];
  if ((typeof value === 'string' || typeof value === 'number') && typeof value === type) {
    return value;
  }
  throw new TypeError(`${name}: must be a ${type}`);
}

const decoders = {
  WindowSet: (data: unknown) => ({
    from: field(data, 'from', 'string'),
    until: field(data, 'until', 'string'),
    timeZone: field(data, 'timeZone', 'string'),
  }),
  WindowCleared: (data: unknown) => ({ by: field(data, 'by', 'string') }),
};
const upcasters: Upcasters<WindowEvent['type']> = {
  WindowSet: {
    2: (data) => {
      const from = field(data, 'from', 'string');
      const until = new Date(Date.parse(from) + field(data, 'lengthMs', 'number')).toISOString();
      return { from, until, timeZone: 'Etc/UTC' };
    },
    1: (data) => ({
      from: field(data, 'from', 'string'),
      lengthMs: field(data, 'minutes', 'number') * 60_000,
    }),
  },
};
const codec = jsonCodec<WindowEvent>(decoders, 3, upcasters);

const from = '2026-11-21T22:00:00.000Z';
const until = '2026-11-22T00:30:00.000Z';
const event = (schemaVersion: number, data: Json, type = 'WindowSet') => ({
  ...{ ...newEvent(data), type, stream: 'window-1', revision: 4 },
  metadata: { ...metadata, schemaVersion },
});

describe('upcasting', () => {
  it.each<[number, Json]>([
    [1, { from, minutes: 150 }],
    [2, { from, lengthMs: 9_000_000 }],
    [3, { from, until, timeZone: 'Etc/UTC' }],
  ])('reads version %d as the current one', (version, data) => {
    const kept = structuredClone(data);
    expect(codec.decode(event(version, data))).toEqual({
      type: 'WindowSet',
      data: { from, until, timeZone: 'Etc/UTC' },
    });
    expect(data).toEqual(kept);
  });

  it.each([1, 2, 3])('leaves a type alone whose data never changed: version %d', (version) => {
    const cleared = event(version, { by: 'ana' }, 'WindowCleared');
    expect(codec.decode(cleared)).toEqual({ type: 'WindowCleared', data: { by: 'ana' } });
  });

  it('gives the same for a length in minutes, whichever version told it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), (minutes) => {
        const first = codec.decode(event(1, { from, minutes }));
        expect(codec.decode(event(2, { from, lengthMs: minutes * 60_000 }))).toEqual(first);
        expect(codec.decode(event(3, { ...first.data }))).toEqual(first);
      }),
    );
  });

  it.each<[string, number, Json, string, string]>([
    ['newer than known', 4, { from, until }, 'WindowSet', 'schema version 4 is newer than 3'],
    ['before the first', 0, {}, 'WindowSet', 'schema version 0 is not a whole number from 1'],
    ['between two', 1.5, {}, 'WindowSet', 'schema version 1.5 is not a whole number from 1'],
    [
      'that is not what an upcaster takes',
      ...([
        1,
        { from },
        'WindowSet',
        'from schema version 1 to 2: minutes: must be a number',
      ] as const),
    ],
    [
      'that is older than its metadata says',
      ...([2, { from, minutes: 1 }, 'WindowSet', 'from schema version 2 to 3: lengthMs'] as const),
    ],
    [
      'that is newer than its metadata says',
      ...([2, { from, until }, 'WindowSet', 'from schema version 2 to 3: lengthMs'] as const),
    ],
    ['of an older type that is gone', 1, {}, 'WindowMoved', 'unknown event type'],
  ])('refuses an event %s, and says where it stands', (_, version, data, type, reason) => {
    const decode = () => codec.decode(event(version, data, type));
    expect(decode).toThrow(UndecodableEvent);
    expect(decode).toThrow(`${type} at window-1@4: ${reason}`);
  });

  it('checks what the last upcaster gives like any other data', () => {
    const wrong = { WindowSet: { 1: () => ({ from: 7 }), 2: (data: Json) => data } };
    const decode = () => jsonCodec<WindowEvent>(decoders, 3, wrong).decode(event(1, {}));
    expect(decode).toThrow('from: must be a string');
  });

  it.each([0, 3, 4, 1.5, -1])('is refused for version %d of a codec of version 3', (version) => {
    const wrong = { WindowSet: { [version]: (data: Json) => data } };
    expect(() => jsonCodec<WindowEvent>(decoders, 3, wrong)).toThrow(
      `upcasters.WindowSet.${version}: must be a version from 1 to 2`,
    );
  });

  it('tells in which versions a type had one shape', () => {
    const last = { WindowSet: { 2: (data: Json) => data } };
    expect(codec.published).toEqual([
      { type: 'WindowSet', from: 1, to: 1 },
      { type: 'WindowSet', from: 2, to: 2 },
      { type: 'WindowSet', from: 3, to: 3 },
      { type: 'WindowCleared', from: 1, to: 3 },
    ]);
    expect(jsonCodec<WindowEvent>(decoders, 4, last).published).toEqual([
      { type: 'WindowSet', from: 1, to: 2 },
      { type: 'WindowSet', from: 3, to: 4 },
      { type: 'WindowCleared', from: 1, to: 4 },
    ]);
  });
});
