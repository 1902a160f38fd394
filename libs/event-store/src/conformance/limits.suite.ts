import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { APPEND_EVENTS_MAX } from '../check-append.js';
import {
  APPEND_BYTES_MAX,
  AppendTooLarge,
  type EventStore,
  InvalidEvent,
  type Json,
  type NewEvent,
} from '../event-store.js';
import { freshStream as streamOf, metadata, newEvent, newEvents } from '../test-events.suite.js';

export function limitsSuite(storeOf: () => EventStore): void {
  const idsIn = async (stream: string) => (await storeOf().read(stream)).map(({ id }) => id);

  describe('limits', () => {
    const textOf = (bytes: number) => 'x'.repeat(bytes);
    // Quotes around the text, and the metadata and the type beside it.
    const overhead = 2 + Buffer.byteLength(JSON.stringify(metadata)) + 2 * newEvent().type.length;

    it('takes an append of 1 MiB and refuses one byte more', async () => {
      const stream = streamOf();
      const half = newEvent(textOf(APPEND_BYTES_MAX / 2 - overhead));
      const rest = newEvent(textOf(APPEND_BYTES_MAX / 2 - overhead));
      await storeOf().append(stream, 'no-stream', [half, rest]);
      const more = newEvent(textOf(APPEND_BYTES_MAX / 2 - overhead + 1));
      const refused = storeOf().append(stream, 1, [newEvent(half.data), more]);
      await expect(refused).rejects.toThrow(AppendTooLarge);
      await expect(refused).rejects.toMatchObject({ bytes: APPEND_BYTES_MAX + 1 });
      expect(await idsIn(stream)).toHaveLength(2);
    });

    it('counts bytes and not characters', async () => {
      const refused = storeOf().append(streamOf(), 'no-stream', [
        newEvent('ü'.repeat(APPEND_BYTES_MAX / 2)),
      ]);
      await expect(refused).rejects.toThrow(AppendTooLarge);
    });

    it('takes as many events as allowed and no more', async () => {
      const stream = streamOf();
      await storeOf().append(stream, 'no-stream', newEvents(APPEND_EVENTS_MAX));
      const refused = storeOf().append(
        stream,
        APPEND_EVENTS_MAX - 1,
        newEvents(APPEND_EVENTS_MAX + 1),
      );
      await expect(refused).rejects.toMatchObject({ field: 'events' });
      expect(await idsIn(stream)).toHaveLength(APPEND_EVENTS_MAX);
    });

    const nested = (levels: number): Json => (levels === 0 ? 1 : [nested(levels - 1)]);
    const id = randomUUID();
    it.each<[string, readonly NewEvent[]]>([
      ['events', []],
      ['events[0].id', [newEvent(1, 'no-uuid')]],
      ['events[0].id', [newEvent(1, id.toUpperCase().replace(/^./, 'A'))]],
      ['events[1].id', [newEvent(1, id), newEvent(2, id)]],
      ['events[0].type', [{ ...newEvent(), type: '$Counted' }]],
      ['events[0].type', [{ ...newEvent(), type: '' }]],
      ['events[1].data.a[1]', [newEvent(), newEvent({ a: [1, Number.NaN] })]],
      [`events[0].data${'[0]'.repeat(65)}`, [newEvent(nested(65))]],
      ['events[0].metadata.schemaVersion', [withMetadata({ schemaVersion: 0 })]],
      ['events[0].metadata.commandId', [withMetadata({ commandId: '' })]],
      ['events[0].metadata.actor', [withMetadata({ actor: 'a'.repeat(513) })]],
      ['events[0].metadata.occurredAt', [withMetadata({ occurredAt: '2026-11-21' })]],
      ['events[0].metadata.occurredAt', [withMetadata({ occurredAt: '2026-13-21T09:00:00Z' })]],
    ])('refuses what breaks the rule of %s', async (field, events) => {
      const stream = streamOf();
      const refused = storeOf().append(stream, 'no-stream', events);
      await expect(refused).rejects.toThrow(InvalidEvent);
      await expect(refused).rejects.toMatchObject({ field });
      expect(await storeOf().read(stream)).toEqual([]);
    });

    it.each(['$all', '$ce-x', '', 'nodash', 'a b-1', '-1', 'a-', `a-${'x'.repeat(191)}`])(
      'refuses the stream name "%s"',
      async (stream) => {
        const refused = storeOf().append(stream, 'no-stream', newEvents(1));
        await expect(refused).rejects.toThrow(InvalidEvent);
        await expect(refused).rejects.toMatchObject({ field: 'stream' });
        await expect(storeOf().read(stream)).rejects.toMatchObject({ field: 'stream' });
      },
    );

    it.each([-1, 0.5, Number.NaN, 2 ** 40])('refuses the revision %d', async (expected) => {
      const refused = storeOf().append(streamOf(), expected, newEvents(1));
      await expect(refused).rejects.toMatchObject({ field: 'expected' });
    });
  });
}

function withMetadata(change: Partial<NewEvent['metadata']>): NewEvent {
  return { ...newEvent(), metadata: { ...metadata, ...change } };
}
