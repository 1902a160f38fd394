import { DomainError } from '@patchtrail/event-sourcing';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { UndecodableEvent } from './codec.js';
import { add, addTo, contextOf, counterStream } from './counter.suite.js';
import { type EventStore, WrongExpectedRevision } from './event-store.js';
import { TruncatedStream } from './fold-stream.js';
import { handle, load } from './handle.js';
import { commandIdFrom } from './ids.js';
import { TooBusy } from './keyed-queue.js';
import { createMemoryEventStore } from './memory-event-store.js';
import { createStateCache, type StateCacheLimits } from './state-cache.js';
import { newEvent } from './test-events.suite.js';

const NAME = 'counter-1';
const id = (n: number | string) => commandIdFrom('command', String(n));

let memory: EventStore;
/** What was asked of the store: where reads began, and at which revision appends were tried. */
let asked: string[];
beforeEach(() => {
  memory = createMemoryEventStore();
  asked = [];
});

function cached(overrides: Partial<EventStore> = {}, limits: StateCacheLimits = {}) {
  const store: EventStore = {
    ...memory,
    append: (name, expected, events) => {
      asked.push(`append ${expected}`);
      return (overrides.append ?? memory.append)(name, expected, events);
    },
    read: (name, options) => {
      asked.push(`read ${options?.from ?? 0}`);
      return (overrides.read ?? memory.read)(name, options);
    },
  };
  return { ...counterStream(store), cache: createStateCache<number>(limits) };
}
const another = (by: number, commandId: string) => addTo(memory, NAME, by, commandId);
const added = (data = { by: 1 }) => ({ ...newEvent(data), type: 'Added' });

describe('handle with a cache', () => {
  it('reads a stream once and decides on what it remembers', async () => {
    const stream = cached();
    await handle(stream, NAME, add(2), contextOf(id(1)));
    const second = await handle(stream, NAME, add(3), contextOf(id(2)));
    expect(second).toMatchObject({ state: 5, revision: 1, repeated: false });
    expect(asked).toEqual(['read 0', 'append no-stream', 'append 0']);
    expect(await load(counterStream(memory), NAME)).toMatchObject({ state: 5, revision: 1 });
  });

  it('reads what is new after a conflict, and decides anew', async () => {
    const stream = cached();
    await handle(stream, NAME, add(2), contextOf(id(1)));
    await another(990, id('other'));
    const handled = await handle(stream, NAME, add(9), contextOf(id(2)));
    expect(handled).toMatchObject({ state: 992, revision: 1, events: [] });
    expect(asked.slice(2)).toEqual(['append 0', 'read 0']);
  });

  it('does not refuse on outdated state', async () => {
    const stream = cached();
    const decide: typeof stream.decider.decide = (command, total) => {
      if (total < 5) throw new DomainError('too-early');
      return stream.decider.decide(command, total);
    };
    const late = { ...stream, decider: { ...stream.decider, decide } };
    await handle(stream, NAME, add(2), contextOf(id(1)));
    const refused = handle(late, NAME, add(1), contextOf(id(2)));
    await expect(refused).rejects.toThrow('too-early');
    await another(3, id('other'));
    expect(await handle(late, NAME, add(1), contextOf(id(2)))).toMatchObject({ state: 6 });
  });

  it('does not answer "nothing to do" on outdated state', async () => {
    const stream = cached();
    await handle(stream, NAME, add(1_000), contextOf(id(1)));
    const full = await handle(stream, NAME, add(1), contextOf(id(2)));
    expect(full).toMatchObject({ state: 1_000, revision: 0, events: [] });
    await memory.append(NAME, 0, [added({ by: -10 })]);
    const room = await handle(stream, NAME, add(1), contextOf(id(2)));
    expect(room).toMatchObject({ state: 991, revision: 2 });
  });

  it('compares what the caller expects with the store, not with what it remembers', async () => {
    const stream = cached();
    await handle(stream, NAME, add(1), contextOf(id(1)));
    await another(1, id('other'));
    const fits = handle(stream, NAME, add(1), contextOf(id(2)), { expected: 1 });
    expect(await fits).toMatchObject({ revision: 2 });
    await another(1, id('third'));
    const outdated = handle(stream, NAME, add(1), contextOf(id(3)), { expected: 2 });
    await expect(outdated).rejects.toMatchObject({ expected: 2, actual: 3 });
  });

  it('recognises a repetition of its own command, with the outcome of that time', async () => {
    const stream = cached();
    const first = await handle(stream, NAME, add(2, 2), contextOf(id(1)));
    await handle(stream, NAME, add(7), contextOf(id(2)));
    const again = await handle(stream, NAME, add(2, 2), contextOf(id(1)));
    expect(again).toEqual({ ...first, repeated: true });
    expect(asked.filter((one) => one.startsWith('append'))).toHaveLength(2);
  });

  it.each([
    ['the same', add(2, 2)],
    ['another', add(3, 2)],
    ['a part of it', add(2, 1)],
    ['more', add(2, 3)],
  ])('recognises a repetition by another process that leads to %s', async (_, repeated) => {
    const stream = cached();
    await handle(stream, NAME, add(1), contextOf(id(0)));
    const first = await handle(counterStream(memory), NAME, add(2, 2), contextOf(id(1)));
    const again = await handle(stream, NAME, repeated, contextOf(id(1)));
    expect(again).toMatchObject({ state: 5, revision: 2, events: first.events });
    expect(await memory.read(NAME)).toHaveLength(3);
    expect(await handle(stream, NAME, add(1), contextOf(id(2)))).toMatchObject({ state: 6 });
  });

  it('forgets a stream when it is not known whether an append was stored', async () => {
    let isLost = false;
    const append: EventStore['append'] = async (...of) => {
      const appended = await memory.append(...of);
      if (isLost) throw new Error('connection lost');
      return appended;
    };
    const stream = cached({ append });
    await handle(stream, NAME, add(1), contextOf(id(0)));
    isLost = true;
    await expect(handle(stream, NAME, add(2), contextOf(id(1)))).rejects.toThrow('lost');
    expect(stream.cache.recall(NAME)).toBeUndefined();
    isLost = false;
    const again = await handle(stream, NAME, add(2), contextOf(id(1)));
    expect(again).toMatchObject({ state: 3, revision: 1, repeated: true });
  });

  it('keeps what was read of its own append before the answer came', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const append: EventStore['append'] = async (...of) => {
      const appended = await memory.append(...of);
      if (of[1] !== 'no-stream') await held;
      return appended;
    };
    const stream = cached({ append });
    await handle(stream, NAME, add(1), contextOf(id(0)));
    const handling = handle(stream, NAME, add(2), contextOf(id(1)));
    await new Promise(setImmediate);
    await another(4, id('other'));
    expect(await load(stream, NAME)).toMatchObject({ state: 7, revision: 2 });
    release();
    expect(await handling).toMatchObject({ state: 3, revision: 1 });
    expect(stream.cache.recall(NAME)?.at).toMatchObject({ state: 7, revision: 2 });
  });

  it('has the commands to one stream take turns, and not those to others', async () => {
    let running = 0;
    let together = 0;
    const append: EventStore['append'] = async (...of) => {
      running += 1;
      together = Math.max(together, running);
      await new Promise(setImmediate);
      running -= 1;
      return memory.append(...of);
    };
    const stream = cached({ append });
    const one = Array.from({ length: 32 }, (_, n) => n);
    await Promise.all(one.map((n) => handle(stream, NAME, add(1), contextOf(id(n)))));
    expect(together).toBe(1);
    expect(asked.filter((what) => what.startsWith('append'))).toHaveLength(32);
    await Promise.all(one.map((n) => handle(stream, `counter-${n}x`, add(1), contextOf(id(n)))));
    expect(together).toBe(32);
  });

  it('refuses a command that finds no turn, and appends nothing for it', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const append: EventStore['append'] = (...of) => held.then(() => memory.append(...of));
    const stream = cached({ append }, { waitingMax: 0 });
    const first = handle(stream, NAME, add(1), contextOf(id(1)));
    await expect(handle(stream, NAME, add(1), contextOf(id(2)))).rejects.toThrow(TooBusy);
    release();
    await first;
    expect(await memory.read(NAME)).toHaveLength(1);
  });

  it('tries no further once its time is over', async () => {
    const append: EventStore['append'] = async (name, ...rest) => {
      await another(1, id(`other ${asked.length}`));
      return memory.append(name, ...rest);
    };
    const stream = cached({ append });
    const late = handle(stream, NAME, add(1), contextOf(id(1)), { deadlineMs: 0 });
    await expect(late).rejects.toThrow(WrongExpectedRevision);
    expect(asked).toEqual(['read 0', 'append no-stream']);
  });

  it('stores nothing that it could not read back', async () => {
    const stream = cached();
    const decide = () => [{ type: 'Added' as const, data: JSON.parse('{"by":"one"}') as never }];
    const wrong = { ...stream, decider: { ...stream.decider, decide } };
    const refused = handle(wrong, NAME, add(1), contextOf(id(1)));
    await expect(refused).rejects.toThrow(UndecodableEvent);
    expect(await memory.head()).toBeNull();
  });
});

describe('load with a cache', () => {
  it('reads only what is new, and knows when the last event was recorded', async () => {
    const stream = cached();
    await handle(stream, NAME, add(1), contextOf(id(1)));
    const last = async () => (await memory.read(NAME)).at(-1);
    const loaded = await load(stream, NAME);
    const { recordedAt, position } = (await last()) ?? {};
    expect(loaded).toEqual({ state: 1, revision: 0, recordedAt, position });
    await another(2, id('other'));
    expect(await load(stream, NAME)).toMatchObject({ state: 3, revision: 1 });
    expect(asked.slice(2)).toEqual(['read 0', 'read 1']);
  });

  it('shares a read with those who ask at once, and never one that began before', async () => {
    const stream = cached();
    await another(1, id(0));
    const together = await Promise.all([1, 2, 3].map(() => load(stream, NAME)));
    expect(together.map(({ state }) => state)).toEqual([1, 1, 1]);
    expect(asked).toEqual(['read 0']);

    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const read: EventStore['read'] = async (...of) => {
      const page = await memory.read(...of);
      await held;
      return page;
    };
    const slow = cached({ read });
    const early = load(slow, NAME);
    await new Promise(setImmediate);
    await another(1, id(1));
    const late = load(slow, NAME);
    release();
    expect(await early).toMatchObject({ state: 1 });
    expect(await late).toMatchObject({ state: 2 });
  });

  it('reads an earlier state from the store', async () => {
    let now = 9;
    memory = createMemoryEventStore({ now: () => new Date(Date.UTC(2026, 10, 21, now)) });
    const stream = cached();
    await handle(stream, NAME, add(1), contextOf(id(1)));
    now = 11;
    await handle(stream, NAME, add(1), contextOf(id(2)));
    expect(await load(stream, NAME, { asOf: '2026-11-21T10:00:00Z' })).toMatchObject({ state: 1 });
    expect(await load(stream, NAME)).toMatchObject({ state: 2, revision: 1 });
  });

  it('gives out what cannot be changed', async () => {
    const stream = cached();
    await handle(stream, NAME, add(1), contextOf(id(1)));
    const loaded = await load(stream, NAME);
    expect(Object.isFrozen(loaded)).toBe(true);
  });

  it.each([
    ['beginning', 0],
    ['middle', 1],
  ])(
    'refuses a stream whose %s is missing, with what is remembered or without',
    async (_, hole) => {
      await memory.append(NAME, 'no-stream', [added(), added(), added()]);
      const read: EventStore['read'] = async (...of) =>
        (await memory.read(...of)).filter(({ revision }) => revision !== hole);
      const truncated = cached({ read });
      const refused = load(truncated, NAME);
      await expect(refused).rejects.toThrow(TruncatedStream);
      await expect(refused).rejects.toMatchObject({ stream: NAME, missing: hole, found: hole + 1 });
      const command = handle(truncated, NAME, add(1), contextOf(id(1)));
      await expect(command).rejects.toThrow(TruncatedStream);
      expect(truncated.cache.recall(NAME)).toBeUndefined();
    },
  );

  it('keeps nothing of an event that it cannot fold', async () => {
    const stream = cached();
    await handle(stream, NAME, add(1), contextOf(id(1)));
    await memory.append(NAME, 0, [added(), newEvent()]);
    await expect(load(stream, NAME)).rejects.toThrow(UndecodableEvent);
    await expect(load(stream, NAME)).rejects.toThrow(`${NAME}@2`);
    expect(stream.cache.recall(NAME)?.at).toMatchObject({ state: 2, revision: 1 });
  });
});
