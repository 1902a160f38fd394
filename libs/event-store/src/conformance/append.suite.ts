import { describe, expect, it } from '@jest/globals';
import { type EventStore, type NewEvent, WrongExpectedRevision } from '../event-store.js';
import { freshStream as streamOf, newEvent, newEvents } from '../test-events.suite.js';

export function appendSuite(storeOf: () => EventStore): void {
  const idsIn = async (stream: string) => (await storeOf().read(stream)).map(({ id }) => id);

  describe('append', () => {
    it('stores events as they came, numbered from 0', async () => {
      const stream = streamOf();
      const data = { z: [1, 'two', null, { deep: true }], a: 'ü\u0000"\\', n: -0.5, '': {} };
      const [first, second] = [newEvent(data), newEvent('text')];
      const result = await storeOf().append(stream, 'no-stream', [first, second]);
      expect(result.revision).toBe(1);
      const stored = await storeOf().read(stream);
      expect(stored).toMatchObject([
        { ...first, stream, revision: 0 },
        { ...second, stream, revision: 1, position: result.position },
      ]);
      expect(JSON.stringify(stored[0]?.data)).toBe(JSON.stringify(data));
      expect(stored[0]?.recordedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    });

    it('appends at the revision that the writer has seen', async () => {
      const stream = streamOf();
      const first = await storeOf().append(stream, 'no-stream', newEvents(2));
      const second = await storeOf().append(stream, first.revision, newEvents(1));
      expect(second.revision).toBe(2);
      expect(storeOf().comparePositions(first.position, second.position)).toBeLessThan(0);
    });

    it.each([
      ['no-stream on one that exists', 'no-stream', 1],
      ['an older revision', 0, 1],
      ['a revision not reached yet', 2, 1],
    ] as const)('refuses %s, with the actual revision', async (_, expected, actual) => {
      const stream = streamOf();
      await storeOf().append(stream, 'no-stream', newEvents(2));
      const before = await idsIn(stream);
      const refused = storeOf().append(stream, expected, newEvents(1));
      await expect(refused).rejects.toThrow(WrongExpectedRevision);
      await expect(refused).rejects.toMatchObject({ stream, expected, actual });
      expect(await idsIn(stream)).toEqual(before);
    });

    it('refuses a revision of a stream that does not exist', async () => {
      const stream = streamOf();
      const refused = storeOf().append(stream, 0, newEvents(1));
      await expect(refused).rejects.toMatchObject({ expected: 0, actual: 'no-stream' });
      expect(await storeOf().read(stream)).toEqual([]);
    });

    it('takes the same append again without effect, also when others came after', async () => {
      const stream = streamOf();
      await storeOf().append(stream, 'no-stream', newEvents(1));
      const events = newEvents(2);
      const first = await storeOf().append(stream, 0, events);
      expect(await storeOf().append(stream, 0, events)).toEqual(first);
      await storeOf().append(stream, first.revision, newEvents(3));
      expect(await storeOf().append(stream, 0, events)).toEqual(first);
      expect(await idsIn(stream)).toHaveLength(6);
    });

    it('takes one of two equal appends that race, and answers both alike', async () => {
      const stream = streamOf();
      const events = newEvents(2);
      const results = await Promise.all(
        Array.from({ length: 4 }, () => storeOf().append(stream, 'no-stream', events)),
      );
      expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
      expect(await idsIn(stream)).toEqual(events.map(({ id }) => id));
    });

    it.each([
      ['other ids', (events: readonly NewEvent[]) => [events[0]!, newEvent()]],
      ['another order', (events: readonly NewEvent[]) => [...events].reverse()],
      ['one more', (events: readonly NewEvent[]) => [...events, newEvent()]],
    ])('refuses %s at a revision that is taken', async (_, change) => {
      const stream = streamOf();
      const events = newEvents(2);
      await storeOf().append(stream, 'no-stream', events);
      const refused = storeOf().append(stream, 'no-stream', change(events));
      await expect(refused).rejects.toThrow(WrongExpectedRevision);
      expect(await idsIn(stream)).toHaveLength(2);
    });
  });
}
