import { DomainError } from '@patchtrail/event-sourcing';
import { describe, expect, it } from '@jest/globals';
import { add, addTo, contextOf, counter, counterCodec, counterStream } from './counter.suite.js';
import { type EventStore, InvalidEvent, WrongExpectedRevision } from './event-store.js';
import { handle, load } from './handle.js';
import { commandIdFrom } from './ids.js';
import { createMemoryEventStore } from './memory-event-store.js';
import { metadata, newEvent } from './test-events.suite.js';

const NAME = 'counter-1';
const id = (n: number | string) => commandIdFrom('command', String(n));

/** Another writer who gets in between reading and appending, the given number of times. */
function contended(store: EventStore, times: number): EventStore & { tries: () => number } {
  let tries = 0;
  return {
    ...store,
    tries: () => tries,
    append: async (stream, expected, events) => {
      tries += 1;
      if (tries <= times) await addTo(store, stream, 1, id(`other ${tries}`));
      return store.append(stream, expected, events);
    },
  };
}

describe('handle', () => {
  it('appends what was decided, with metadata from the context', async () => {
    const store = createMemoryEventStore();
    const stream = counterStream(store);
    const handled = await handle(stream, NAME, add(2, 3), contextOf(id(1)));
    const stored = await store.read(NAME);
    expect(handled).toEqual({
      state: 6,
      revision: 2,
      events: Array.from({ length: 3 }, () => ({ type: 'Added', data: { by: 2 } })),
      repeated: false,
      position: stored[2]?.position,
    });
    expect(stored.map((event) => event.metadata)).toEqual(
      Array.from({ length: 3 }, () => ({ ...metadata, commandId: id(1), schemaVersion: 2 })),
    );
    expect(new Set(stored.map((event) => event.id)).size).toBe(3);
  });

  it('decides on the state of the stream', async () => {
    const store = createMemoryEventStore();
    await addTo(store, NAME, 999, id(1));
    expect(await addTo(store, NAME, 2, id(2))).toMatchObject({ state: 999, events: [] });
    expect(await addTo(store, NAME, 1, id(3))).toMatchObject({ state: 1_000, revision: 1 });
  });

  it('leaves a stream that does not exist alone when nothing follows', async () => {
    const store = createMemoryEventStore();
    const handled = await addTo(store, NAME, 0, id(1));
    expect(handled).toEqual({
      state: 0,
      revision: -1,
      events: [],
      repeated: false,
      position: null,
    });
    expect(await store.head()).toBeNull();
  });

  it('returns the earlier outcome of a repeated command, also after others', async () => {
    const store = createMemoryEventStore();
    const stream = counterStream(store);
    await addTo(store, NAME, 5, id(0));
    const first = await handle(stream, NAME, add(2, 2), contextOf(id(1)));
    const again = { ...first, repeated: true };
    expect(await handle(stream, NAME, add(2, 2), contextOf(id(1)))).toEqual(again);
    await addTo(store, NAME, 7, id(2));
    expect(await handle(stream, NAME, add(2, 2), contextOf(id(1)))).toEqual(again);
    expect(await load(stream, NAME)).toMatchObject({ state: 16, revision: 3 });
  });

  it('recognises a repetition before it judges it', async () => {
    const store = createMemoryEventStore();
    const context = contextOf(id(1));
    await handle(counterStream(store), NAME, add(1), context, { expected: 'no-stream' });
    const again = handle(counterStream(store), NAME, add(1), context, { expected: 'no-stream' });
    expect(await again).toMatchObject({ repeated: true, revision: 0 });
    const changed = handle(counterStream(store), NAME, add(-1), context);
    expect(await changed).toMatchObject({ repeated: true });
  });

  it('reads anew after a conflict and decides on what it finds', async () => {
    const store = createMemoryEventStore();
    const busy = contended(store, 4);
    expect(await addTo(busy, NAME, 997, id(1))).toMatchObject({ events: [], state: 4 });
    expect(busy.tries()).toBe(4);
    const calm = contended(createMemoryEventStore(), 4);
    expect(await addTo(calm, NAME, 10, id(1))).toMatchObject({ state: 14, revision: 4 });
  });

  it('gives up after five tries', async () => {
    const store = createMemoryEventStore();
    const busy = contended(store, 5);
    await expect(addTo(busy, NAME, 10, id(1))).rejects.toThrow(WrongExpectedRevision);
    expect(busy.tries()).toBe(5);
    expect(await load(counterStream(store), NAME)).toMatchObject({ state: 5 });
  });

  it('finds its own append after a conflict with itself', async () => {
    const store = createMemoryEventStore();
    const twice = contended(store, 0);
    const forgetful: EventStore = {
      ...twice,
      append: async (stream, expected, events) => {
        if (twice.tries() === 0) {
          await twice.append(stream, expected, events);
          await addTo(store, stream, 1, id('other'));
          // The answer was lost, and the store sees the retry as that of somebody else.
          throw new WrongExpectedRevision(stream, expected, 1);
        }
        return store.append(stream, expected, events);
      },
    };
    expect(await addTo(forgetful, NAME, 3, id(1))).toMatchObject({ repeated: true, state: 3 });
    expect(await load(counterStream(store), NAME)).toMatchObject({ state: 4, revision: 1 });
  });

  it.each([
    ['no-stream' as const, 0],
    [1, 0],
  ])('refuses a stream that is not at %s and does not try again', async (expected, actual) => {
    const store = createMemoryEventStore();
    await addTo(store, NAME, 1, id(1));
    const refused = handle(counterStream(store), NAME, add(1), contextOf(id(2)), { expected });
    await expect(refused).rejects.toThrow(WrongExpectedRevision);
    await expect(refused).rejects.toMatchObject({ expected, actual });
    expect(await store.read(NAME)).toHaveLength(1);
  });

  it('refuses when another writer comes between the expected revision and the append', async () => {
    const store = createMemoryEventStore();
    await addTo(store, NAME, 1, id(1));
    const busy = counterStream(contended(store, 1));
    const refused = handle(busy, NAME, add(1), contextOf(id(2)), { expected: 0 });
    await expect(refused).rejects.toMatchObject({ expected: 0, actual: 1 });
    const kept = handle(counterStream(store), NAME, add(1), contextOf(id(2)), { expected: 1 });
    expect(await kept).toMatchObject({ revision: 2 });
  });

  it('lets a refusal of the domain through', async () => {
    const store = createMemoryEventStore();
    const refused = addTo(store, NAME, -1, id(1));
    await expect(refused).rejects.toThrow(DomainError);
    await expect(refused).rejects.toMatchObject({ code: 'negative' });
    expect(await store.head()).toBeNull();
  });

  it('stores nothing that cannot be applied or written as JSON', async () => {
    const store = createMemoryEventStore();
    const stream = counterStream(store);
    const unfit = {
      ...counter,
      evolve: () => {
        throw new Error('cannot be applied');
      },
    };
    await expect(
      handle({ ...stream, decider: unfit }, NAME, add(1), contextOf(id(1))),
    ).rejects.toThrow('cannot be applied');
    await expect(handle(stream, NAME, add(Number.NaN), contextOf(id(1)))).rejects.toThrow(
      InvalidEvent,
    );
    expect(await store.head()).toBeNull();
  });

  it('reads a stream that is longer than a page', async () => {
    const store = createMemoryEventStore();
    const ones = () => newEvent({ by: 0.5 });
    const added = () => ({ ...ones(), type: 'Added' });
    await store.append(NAME, 'no-stream', Array.from({ length: 500 }, added));
    await store.append(NAME, 499, Array.from({ length: 500 }, added));
    await store.append(NAME, 999, Array.from({ length: 3 }, added));
    expect(await addTo(store, NAME, 1, id(1))).toMatchObject({ state: 502.5, revision: 1_003 });
  });

  it('refuses to read what the codec does not know', async () => {
    const store = createMemoryEventStore();
    await store.append(NAME, 'no-stream', [newEvent()]);
    await expect(addTo(store, NAME, 1, id(1))).rejects.toThrow('unknown event type');
    await expect(load({ store, decider: counter, codec: counterCodec }, NAME)).rejects.toThrow(
      'unknown event type',
    );
  });
});

describe('load', () => {
  async function recordedAt(...instants: readonly string[]) {
    const clock = [...instants];
    const store = createMemoryEventStore({ now: () => new Date(clock.shift() ?? '') });
    for (const [index] of instants.entries()) await addTo(store, NAME, 10 ** index, id(index));
    return counterStream(store);
  }
  const [nine, ten, eleven] = ['09:00', '10:00', '11:00'].map((t) => `2026-11-21T${t}:00.000Z`);

  it('finds the initial state where there is no stream', async () => {
    const stream = await recordedAt();
    const nothing = { state: 0, revision: -1, recordedAt: null, position: null };
    expect(await load(stream, NAME)).toEqual(nothing);
  });

  it.each([
    ['08:59:59.999Z', 0, -1, null],
    ['09:00:00Z', 1, 0, nine],
    ['11:30:00+02:00', 1, 0, nine],
    ['10:00:00.000Z', 11, 1, ten],
    ['12:00:00Z', 111, 2, eleven],
  ])('answers as of %s', async (time, state, revision, last) => {
    const stream = await recordedAt(nine ?? '', ten ?? '', eleven ?? '');
    const loaded = await load(stream, NAME, { asOf: `2026-11-21T${time}` });
    expect(loaded).toMatchObject({ state, revision, recordedAt: last });
  });

  it('stops before the first later event, even if the clock was set back after it', async () => {
    const stream = await recordedAt(nine ?? '', eleven ?? '', ten ?? '');
    expect(await load(stream, NAME, { asOf: ten ?? '' })).toMatchObject({ state: 1 });
  });

  it.each(['yesterday', '2026-11-21', '2026-11-21T25:00:00Z', ''])(
    'refuses "%s" as an instant',
    async (asOf) => {
      const stream = await recordedAt(nine ?? '');
      await expect(load(stream, NAME, { asOf })).rejects.toThrow('asOf');
    },
  );
});
