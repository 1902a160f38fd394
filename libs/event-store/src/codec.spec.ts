import { describe, expect, it } from '@jest/globals';
import { UndecodableEvent } from './codec.js';
import { counterCodec } from './counter.suite.js';
import type { StoredEvent } from './event-store.js';
import { positionFrom } from './position.js';
import { metadata, newEvent } from './test-events.suite.js';

function stored(change: Partial<StoredEvent> = {}): StoredEvent {
  return {
    ...newEvent({ by: 2 }),
    type: 'Added',
    stream: 'counter-1',
    revision: 4,
    position: positionFrom(9n),
    recordedAt: '2026-11-21T09:00:00.000Z',
    ...change,
  };
}

describe('jsonCodec', () => {
  it('gives back type and data', () => {
    expect(counterCodec.decode(stored())).toEqual({ type: 'Added', data: { by: 2 } });
  });

  it.each<[string, Partial<StoredEvent>, string]>([
    ['an unknown type', { type: 'Removed' }, 'unknown event type'],
    ['a type that every object has', { type: 'constructor' }, 'unknown event type'],
    ['data of another shape', { data: { by: 'two' } }, 'by: must be a number'],
    [
      'a newer version',
      { metadata: { ...metadata, schemaVersion: 3 } },
      'schema version 3 is newer than 2',
    ],
  ])('refuses %s, and says where it stands', (_, change, reason) => {
    const decode = () => counterCodec.decode(stored(change));
    expect(decode).toThrow(UndecodableEvent);
    expect(decode).toThrow(`counter-1@4: ${reason}`);
  });
});
