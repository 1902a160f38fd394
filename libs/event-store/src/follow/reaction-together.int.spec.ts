/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { DomainError } from '@patchtrail/event-sourcing';
import { type Database, tryFencedLease } from '@patchtrail/postgres';
import { eventually } from '@patchtrail/testing';
import type { StoredEvent } from '../event-store.js';
import { newEvents } from '../test-events.suite.js';
import { nameOf, reactionStage } from './reaction.suite.js';

describe('a reaction that may act on events together', () => {
  const { at, react, run, append, checkpoint, parked } = reactionStage();
  let together: string[][];
  beforeEach(() => {
    together = [];
  });
  /** Events that it refuses to take with others are named. */
  const reactTogether =
    (refused = new Set<string>()) =>
    (events: readonly StoredEvent[]) => {
      if (events.some((event) => refused.has(nameOf(event)))) {
        return Promise.reject(new Error('not together'));
      }
      together.push(events.map(nameOf));
      return Promise.resolve();
    };

  it('takes what waits in its order, a hundred at most, and saves it at once', async () => {
    await append('counter-1', 130);
    await append('foreign-1', 1);
    const { position } = await append('counter-2', 20);
    let saves = 0;
    const transaction: Database['transaction'] = (work) => {
      saves += 1;
      return at().db.transaction(work);
    };
    const reaction = run({ reactTogether: reactTogether(), db: { ...at().db, transaction } });
    expect(await reaction.reached(position, 20_000)).toBe(true);
    expect(together.map(({ length }) => length)).toEqual([100, 50]);
    const named = (stream: string, count: number) =>
      Array.from({ length: count }, (_, n) => `${stream}@${n}`);
    expect(together.flat()).toEqual([...named('counter-1', 130), ...named('counter-2', 20)]);
    await eventually(async () => expect(await checkpoint()).toBe(position));
    expect(saves).toBe(2);
    expect(at().reacted).toEqual([]);
  });

  it('acts on one that waits alone', async () => {
    const reaction = run({ reactTogether: reactTogether() });
    for (const stream of ['counter-1', 'counter-2']) {
      const { position } = await append(stream, 1);
      expect(await reaction.reached(position, 20_000)).toBe(true);
    }
    expect(at().reacted).toEqual(['counter-1@0', 'counter-2@0']);
    expect(together).toEqual([]);
  });

  it('moves its checkpoint only once all are acted on', async () => {
    await append('counter-1', 3);
    let finish = () => {};
    const held = new Promise<void>((resolve) => (finish = resolve));
    const react3 = reactTogether();
    const reaction = run({ reactTogether: (events) => held.then(() => react3(events)) });
    await eventually(async () =>
      expect(await at().db.rows('SELECT 1 FROM checkpoints')).toHaveLength(1),
    );
    expect(await reaction.reachedHead(20)).toBe(false);
    expect(await checkpoint()).toBeNull();
    expect(reaction.caughtUp()).toBe(false);
    finish();
    expect(await reaction.reachedHead(20_000)).toBe(true);
    expect(together).toEqual([['counter-1@0', 'counter-1@1', 'counter-1@2']]);
  });

  it('acts on each where together fails: refuses, parks and goes on as ever', async () => {
    const broken = new Set(['counter-1@1']);
    const refused = new Set(['counter-3@0']);
    const reaction = run({
      reactTogether: reactTogether(new Set([...broken, ...refused])),
      react: (event) =>
        refused.has(nameOf(event))
          ? Promise.reject(new DomainError('too-late', 'the window is over'))
          : broken.has(nameOf(event))
            ? Promise.reject(new Error(`no ${nameOf(event)}`))
            : react(event),
      judge: () => 'hopeless',
    });
    await append('counter-1', 3);
    await append('counter-2', 1);
    await append('counter-3', 2);
    expect(await reaction.reachedHead(20_000)).toBe(true);
    const acted = [...together.flat(), ...at().reacted];
    expect(new Set(acted)).toEqual(new Set(['counter-1@0', 'counter-2@0', 'counter-3@1']));
    expect(await parked()).toEqual([
      ['counter-1@1', 'Error: no counter-1@1'],
      ['counter-1@2', null],
    ]);
    const refusals = await at().db.rows('SELECT stream, revision, code FROM refused_events');
    expect(refusals).toEqual([{ stream: 'counter-3', revision: 0, code: 'too-late' }]);
  });

  it('takes no event of a parked stream with others', async () => {
    await append('counter-1', 1);
    await at().db.run(
      `INSERT INTO parked_events (reaction, stream, revision, type, cause)
       VALUES ('publish', 'counter-1', 0, 'Counted', 'broken')`,
    );
    await append('counter-2', 2);
    await at().store.append('counter-1', 0, newEvents(2));
    await append('counter-3', 2);
    expect(await run({ reactTogether: reactTogether() }).reachedHead(20_000)).toBe(true);
    expect(together).toEqual([
      ['counter-2@0', 'counter-2@1'],
      ['counter-3@0', 'counter-3@1'],
    ]);
    expect(await parked()).toEqual([
      ['counter-1@0', 'broken'],
      ['counter-1@1', null],
      ['counter-1@2', null],
    ]);
  });

  it('repeats all, and skips none, when it was replaced before its checkpoint', async () => {
    await append('counter-1', 3);
    let isFirst = true;
    const act = reactTogether();
    const reaction = run({
      reactTogether: async (events) => {
        await act(events);
        if (!isFirst) return;
        isFirst = false;
        await at().db.rows(
          `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name LIKE 'lease %'`,
        );
        await (await tryFencedLease(at().db.url, 'reaction publish'))?.release();
      },
    });
    const all = ['counter-1@0', 'counter-1@1', 'counter-1@2'];
    await eventually(() => expect(together).toEqual([all, all]));
    expect(await reaction.reachedHead(20_000)).toBe(true);
  });

  it('leaves what it has not acted on to the next, when it is stopped among them', async () => {
    await append('counter-1', 10);
    const reaction = run({
      reactTogether: () => Promise.reject(new Error('not together')),
      react: async (event) => {
        await react(event);
        if (event.revision === 3) at().stop.abort();
      },
    });
    await reaction.done;
    expect(at().reacted).toHaveLength(4);
    at().stop = new AbortController();
    expect(await run({}).reachedHead(20_000)).toBe(true);
    expect(at().reacted).toEqual(Array.from({ length: 10 }, (_, n) => `counter-1@${n}`));
  });
});
