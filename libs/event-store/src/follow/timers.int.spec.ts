/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DomainError } from '@patchtrail/event-sourcing';
import type { Database } from '@patchtrail/postgres';
import { eventually } from '@patchtrail/testing';
import { openFreshDatabase } from '../databases.suite.js';
import type { EventStore, Json } from '../event-store.js';
import { createTestLog } from '../log.suite.js';
import { createMemoryEventStore } from '../memory-event-store.js';
import { newEvent } from '../test-events.suite.js';
import type { Projection } from './progress.js';
import { runProjection } from './projection.js';
import { projectTimer, runTimers, type Timer, type TimerOptions } from './timers.js';

type Row = { elapsed: boolean; tries: number; retry: boolean; last_error: string | null };

describe('timers', () => {
  let store: EventStore;
  let db: Database;
  let stop: AbortController;
  let close: () => Promise<void>;
  let log: ReturnType<typeof createTestLog>;
  let projection: Projection;
  let now: Date;
  let fired: { timer: Timer; commandId: string }[];
  let running: { done: Promise<void> }[];

  const project = (apply = projectTimer) =>
    runProjection({
      store,
      db,
      name: 'timers',
      prefixes: ['rollout-'],
      apply,
      signal: stop.signal,
      log,
    });
  beforeEach(async () => {
    store = createMemoryEventStore();
    stop = new AbortController();
    log = createTestLog();
    now = new Date('2026-11-21T09:00:00Z');
    fired = [];
    ({ db, close } = await openFreshDatabase());
    projection = project();
    running = [projection];
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(running.map(({ done }) => done));
    await close();
  });

  const elapse: TimerOptions['elapse'] = (timer, commandId) => {
    fired.push({ timer, commandId });
    return Promise.resolve();
  };
  const run = (change: Partial<TimerOptions> = {}) => {
    const options = { db, projection, elapse, now: () => now, signal: stop.signal, log, pollMs: 5 };
    const timers = runTimers({ ...options, ...change });
    running.push(timers);
    return timers;
  };
  const schedule = async (stream: string, data: Json, expected: number | 'no-stream') => {
    const event = { ...newEvent(data, randomUUID()), type: 'TimerScheduled' };
    return store.append(stream, expected, [event]);
  };
  const bake = (minute: number, generation = 1) => ({
    timerId: 'bake',
    dueAt: `2026-11-21T09:${String(minute).padStart(2, '0')}:00Z`,
    purpose: 'bake over',
    generation,
  });
  const rows = () =>
    db.rows<Row>(
      `SELECT elapsed_at IS NOT NULL AS elapsed, tries, retry_at > due_at AS retry, last_error
       FROM timers ORDER BY stream`,
    );
  /** The timers have looked at least once since: they claim a marker that is due at once. */
  const looked = async () => {
    const stream = `rollout-${randomUUID()}`;
    await schedule(stream, { ...bake(0), dueAt: '2026-11-20T00:00:00Z' }, 'no-stream');
    await eventually(() => expect(firedStreams()).toContain(stream));
    fired = fired.filter(({ timer }) => timer.stream !== stream);
    await db.run('DELETE FROM timers WHERE stream = $1', [stream]);
  };
  const firedStreams = () => fired.map(({ timer }) => timer.stream);

  it('fires what is due, and only then, once', async () => {
    run();
    await schedule('rollout-1', bake(5), 'no-stream');
    await schedule('rollout-2', bake(10), 'no-stream');
    await looked();
    expect(fired).toEqual([]);
    now = new Date('2026-11-21T09:05:00Z');
    await eventually(() => expect(fired).toHaveLength(1));
    await looked();
    expect(fired).toEqual([
      {
        timer: {
          timerId: 'bake',
          stream: 'rollout-1',
          purpose: 'bake over',
          generation: 1,
          dueAt: '2026-11-21T09:05:00.000Z',
        },
        commandId: fired[0]?.commandId,
      },
    ]);
    await eventually(async () =>
      expect(await rows()).toEqual([
        { elapsed: true, tries: 0, retry: null, last_error: null },
        { elapsed: false, tries: 0, retry: null, last_error: null },
      ]),
    );
  });

  it('keeps the latest generation, in whatever order the facts come', async () => {
    await schedule('rollout-1', bake(5, 1), 'no-stream');
    await schedule('rollout-1', bake(20, 3), 0);
    await schedule('rollout-1', bake(5, 2), 1);
    run();
    now = new Date('2026-11-21T09:10:00Z');
    await looked();
    expect(fired).toEqual([]);
    now = new Date('2026-11-21T09:20:00Z');
    await eventually(() => expect(fired.map(({ timer }) => timer.generation)).toEqual([3]));
  });

  it('fires a later generation of a timer that has fired, as another command', async () => {
    run();
    now = new Date('2026-11-21T09:30:00Z');
    await schedule('rollout-1', bake(5, 1), 'no-stream');
    await eventually(() => expect(fired).toHaveLength(1));
    await schedule('rollout-1', bake(6, 2), 0);
    await eventually(() => expect(fired).toHaveLength(2));
    expect(fired.map(({ timer }) => timer.generation)).toEqual([1, 2]);
    expect(new Set(fired.map(({ commandId }) => commandId)).size).toBe(2);
  });

  it('gives the same command for the same timer when it is fired again', async () => {
    now = new Date('2026-11-21T09:30:00Z');
    await schedule('rollout-1', bake(5), 'no-stream');
    run();
    await eventually(() => expect(fired).toHaveLength(1));
    await eventually(async () => expect((await rows())[0]?.elapsed).toBe(true));
    await db.run('UPDATE timers SET elapsed_at = NULL');
    await eventually(() => expect(fired).toHaveLength(2));
    expect(fired[1]).toEqual(fired[0]);
  });

  it('shares the work between two runners', async () => {
    now = new Date('2026-11-21T09:30:00Z');
    for (let n = 0; n < 40; n += 1) await schedule(`rollout-${n}`, bake(5), 'no-stream');
    expect(await projection.reachedHead(20_000)).toBe(true);
    run();
    run();
    await eventually(async () => expect((await rows()).every((row) => row.elapsed)).toBe(true));
    expect(fired).toHaveLength(40);
    expect(new Set(firedStreams()).size).toBe(40);
  });

  it('never fires while the projection lags behind the head of the store', async () => {
    now = new Date('2026-11-21T09:30:00Z');
    await schedule('rollout-1', bake(5), 'no-stream');
    expect(await projection.reachedHead(20_000)).toBe(true);
    stop.abort();
    await projection.done;
    stop = new AbortController();
    let isHeld = true;
    // The rescheduling is in the store, but not in the table yet.
    projection = project(async (tx, event) => {
      if (isHeld) throw new Error('held');
      await projectTimer(tx, event);
    });
    running.push(projection);
    await schedule('rollout-1', bake(50, 2), 0);
    let looks = 0;
    run({
      projection: {
        ...projection,
        reachedHead: async () => {
          const isReached = await projection.reachedHead(50);
          looks += 1;
          return isReached;
        },
      },
    });
    await eventually(() => expect(looks).toBeGreaterThan(3));
    expect(fired).toEqual([]);
    isHeld = false;
    expect(await projection.reachedHead(20_000)).toBe(true);
    await looked();
    expect(fired).toEqual([]);
    now = new Date('2026-11-21T09:50:00Z');
    await eventually(() => expect(fired.map(({ timer }) => timer.generation)).toEqual([2]));
  });

  it('tries again later what failed, tells, and holds up nothing else', async () => {
    now = new Date('2026-11-21T09:30:00Z');
    let isDown = true;
    run({
      elapse: (timer, commandId) =>
        isDown && timer.stream === 'rollout-1'
          ? Promise.reject(new Error('store down'))
          : elapse(timer, commandId),
    });
    await schedule('rollout-1', bake(5), 'no-stream');
    await schedule('rollout-2', bake(6), 'no-stream');
    await eventually(() => expect(firedStreams()).toEqual(['rollout-2']));
    const failed = { elapsed: false, tries: 1, retry: true, last_error: 'store down' };
    await eventually(async () => expect((await rows())[0]).toEqual(failed));
    await looked();
    expect((await rows())[0]).toEqual(failed);
    isDown = false;
    now = new Date('2026-11-21T09:30:02Z');
    await eventually(() => expect(firedStreams()).toEqual(['rollout-2', 'rollout-1']));
  });

  it('tells of a failure whatever text it holds', async () => {
    now = new Date('2026-11-21T09:30:00Z');
    run({ elapse: () => Promise.reject(new Error('not \u0000 text')) });
    await schedule('rollout-1', bake(5), 'no-stream');
    const failed = { elapsed: false, tries: 1, retry: true, last_error: 'not \\u0000 text' };
    await eventually(async () => expect(await rows()).toEqual([failed]));
  });

  it('takes a refusal of the domain for an answer', async () => {
    now = new Date('2026-11-21T09:30:00Z');
    let refusals = 0;
    run({
      elapse: (timer, commandId) => {
        if (timer.stream !== 'rollout-1') return elapse(timer, commandId);
        refusals += 1;
        return Promise.reject(new DomainError('already-over'));
      },
    });
    await schedule('rollout-1', bake(5), 'no-stream');
    await eventually(async () =>
      expect(await rows()).toEqual([
        { elapsed: true, tries: 0, retry: null, last_error: 'refused: already-over' },
      ]),
    );
    now = new Date('2026-11-21T10:30:00Z');
    await looked();
    expect(refusals).toBe(1);
  });

  it('goes on after the database was away', async () => {
    now = new Date('2026-11-21T09:30:00Z');
    run();
    await db.run('ALTER TABLE timers RENAME TO lost');
    await eventually(() =>
      expect(log.lines.map(({ text }) => text)).toContain('looking for due timers failed'),
    );
    await db.run('ALTER TABLE lost RENAME TO timers');
    await schedule('rollout-1', bake(5), 'no-stream');
    await eventually(() => expect(firedStreams()).toEqual(['rollout-1']));
  });

  it('passes over any other event', async () => {
    await store.append('rollout-1', 'no-stream', [newEvent()]);
    expect(await projection.reachedHead(20_000)).toBe(true);
    expect(await rows()).toEqual([]);
  });

  it.each<[string, Json]>([
    ['TimerScheduled: must be an object', [1]],
    ['TimerScheduled.timerId: must', { ...bake(5), timerId: '' }],
    ['TimerScheduled.purpose: must', { ...bake(5), purpose: 7 }],
    ['TimerScheduled.dueAt: must', { ...bake(5), dueAt: 'soon' }],
    ['TimerScheduled.generation: must', { ...bake(5), generation: 1.5 }],
  ])('does not project a broken fact: %s', async (message, data) => {
    await schedule('rollout-1', data, 'no-stream');
    await eventually(() => expect(projection.lastError()).toContain(message));
    expect(await rows()).toEqual([]);
  });
});
