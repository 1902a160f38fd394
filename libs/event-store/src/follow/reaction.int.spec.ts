/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { describe, expect, it } from '@jest/globals';
import { DomainError } from '@patchtrail/event-sourcing';
import { type Database, LeaseSuperseded, tryFencedLease, tryLease } from '@patchtrail/postgres';
import { eventually } from '@patchtrail/testing';
import type { StoredEvent } from '../event-store.js';
import { newEvents } from '../test-events.suite.js';
import { parkedEvents, replayParkedEvents } from './parked-events.js';
import { nameOf, reactionStage } from './reaction.suite.js';

describe('runReaction', () => {
  const { at, react, run, append, checkpoint, parked } = reactionStage();
  const brokenFor = (broken: Set<string>) => (event: StoredEvent) => {
    if (broken.has(nameOf(event))) return Promise.reject(new Error(`no ${nameOf(event)}`));
    return react(event);
  };

  it('reacts to each event in order and moves the checkpoint after it', async () => {
    await append('counter-1', 2);
    await append('foreign-1', 1);
    const reaction = run();
    expect(await reaction.reachedHead(20_000)).toBe(true);
    const { position } = await append('counter-2', 1);
    expect(await reaction.reached(position, 20_000)).toBe(true);
    expect(at().reacted).toEqual(['counter-1@0', 'counter-1@1', 'counter-2@0']);
    await eventually(async () => expect(await checkpoint()).toBe(position));
  });

  it('keeps the checkpoint behind an event that it has not finished', async () => {
    const { position } = await append('counter-1', 3);
    let finish = () => {};
    const held = new Promise<void>((resolve) => (finish = resolve));
    const reaction = run({
      react: async (event) => {
        await react(event);
        if (event.revision === 2) await held;
      },
    });
    await eventually(() => expect(at().reacted).toHaveLength(3));
    expect(await checkpoint()).not.toBe(position);
    expect(reaction.caughtUp()).toBe(false);
    expect(await reaction.reached(position, 20)).toBe(false);
    finish();
    expect(await reaction.reached(position, 20_000)).toBe(true);
  });

  it('does not repeat, after an orderly stop, what it has done', async () => {
    await append('counter-1', 30);
    const reaction = run({
      react: async (event) => {
        await react(event);
        if (event.revision === 9) at().stop.abort();
      },
    });
    await reaction.done;
    at().stop = new AbortController();
    expect(await run().reachedHead(20_000)).toBe(true);
    expect(at().reacted).toHaveLength(30);
    expect(new Set(at().reacted).size).toBe(30);
  });

  it('has one active instance, and another one that takes over', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const one = run({ signal: first.signal });
    await append('counter-1', 1);
    expect(await one.reachedHead(20_000)).toBe(true);
    const two = run({ signal: second.signal });
    expect(await tryLease(at().db.url, 'reaction publish')).toBeNull();
    await append('counter-2', 1);
    expect(await one.reachedHead(20_000)).toBe(true);
    expect(two.caughtUp()).toBe(false);
    first.abort();
    await append('counter-3', 1);
    expect(await two.reachedHead(10_000)).toBe(true);
    expect(at().reacted).toEqual(['counter-1@0', 'counter-2@0', 'counter-3@0']);
    second.abort();
  });

  it('stops acting when its lease is lost, and comes back', async () => {
    const reaction = run();
    await append('counter-1', 1);
    expect(await reaction.reachedHead(20_000)).toBe(true);
    await at().db.rows(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name LIKE 'lease %'`,
    );
    await append('counter-2', 1);
    const isBack = () =>
      at().log.lines.filter(({ text }) => text === 'reacting to events').length === 2;
    await eventually(() => expect(isBack()).toBe(true));
    expect(await reaction.reachedHead(20_000)).toBe(true);
    expect(new Set(at().reacted)).toEqual(new Set(['counter-1@0', 'counter-2@0']));
  });

  it('gives way where somebody else moved its checkpoint', async () => {
    const reaction = run();
    await append('counter-1', 1);
    expect(await reaction.reachedHead(20_000)).toBe(true);
    await eventually(async () => expect(await checkpoint()).toBe(reaction.position()));
    await at().db.run('UPDATE checkpoints SET position = NULL');
    await append('counter-2', 1);
    await eventually(() =>
      expect(at().log.lines.map(({ fields }) => String(fields['err']))).toContainEqual(
        expect.stringContaining('another runner moved it'),
      ),
    );
    const again = ['counter-1@0', 'counter-2@0'];
    await eventually(() => expect(at().reacted).toEqual([...again, ...again]));
  });

  it('tries again what fails for a while', async () => {
    let failures = 4;
    const reaction = run({
      react: (event) => {
        failures -= 1;
        return failures >= 0 ? Promise.reject(new Error('busy')) : react(event);
      },
    });
    await append('counter-1', 1);
    await eventually(() => expect(reaction.lastError()).toBe('busy'));
    expect(await reaction.reachedHead(20_000)).toBe(true);
    expect(at().reacted).toEqual(['counter-1@0']);
    expect(await parked()).toEqual([]);
    expect(reaction.lastError()).toBeNull();
  });

  it('parks a stream behind an event that keeps failing, lets others pass, replays it', async () => {
    const broken = new Set(['counter-1@1']);
    const reaction = run({ react: brokenFor(broken) });
    await append('counter-1', 3);
    await append('counter-2', 1);
    expect(await reaction.reachedHead(20_000)).toBe(true);
    expect(at().reacted).toEqual(['counter-1@0', 'counter-2@0']);
    expect(await parked()).toEqual([
      ['counter-1@1', 'Error: no counter-1@1'],
      ['counter-1@2', null],
    ]);
    expect(at().log.lines.filter(({ level }) => level === 'warn')).toHaveLength(10);
    expect(at().log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);

    const replay = () =>
      replayParkedEvents({
        store: at().store,
        db: at().db,
        name: 'publish',
        stream: 'counter-1',
        react: brokenFor(broken),
      });
    await expect(replay()).rejects.toThrow('no counter-1@1');
    expect(await parked()).toHaveLength(2);
    expect(await parkedEvents(at().db)).toMatchObject([
      { reaction: 'publish', code: 'unexpected', tries: 11 },
      { reaction: 'publish', code: null, tries: 0, triedAt: null },
    ]);
    broken.clear();
    expect(await replay()).toBe(2);
    expect(await parked()).toEqual([]);
    await at().store.append('counter-1', 2, newEvents(1));
    expect(await reaction.reachedHead(20_000)).toBe(true);
    expect(at().reacted.slice(2)).toEqual(['counter-1@1', 'counter-1@2', 'counter-1@3']);
    expect(await replay()).toBe(0);
  }, 40_000);

  it('lists what is parked in the order of parking, page by page', async () => {
    const sequence = "pg_get_serial_sequence('parked_events', 'number')";
    await at().db.rows(`SELECT setval(${sequence}, 7)`);
    const reaction = run({
      react: () => Promise.reject(new Error('too large')),
      judge: () => 'hopeless',
    });
    await append('counter-1', 4);
    expect(await reaction.reachedHead(20_000)).toBe(true);
    const numbersFrom = async (after: string) =>
      (await parkedEvents(at().db, { after, limit: 3 })).map(({ number }) => number);
    expect(await numbersFrom('0')).toEqual(['8', '9', '10']);
    expect(await numbersFrom('10')).toEqual(['11']);
  });

  it('parks at once what is hopeless', async () => {
    const reaction = run({
      react: (event) =>
        event.stream === 'counter-1' ? Promise.reject(new Error('too large')) : react(event),
      judge: () => 'hopeless',
    });
    await append('counter-1', 1);
    await append('counter-2', 1);
    expect(await reaction.reachedHead(20_000)).toBe(true);
    expect(await parked()).toEqual([['counter-1@0', 'Error: too large']]);
    expect(await parkedEvents(at().db)).toMatchObject([{ tries: 1 }]);
    expect(at().reacted).toEqual(['counter-2@0']);
  });

  it.each(['outage', 'unclear'] as const)(
    'parks nothing while what it needs is away (%s)',
    async (judgement) => {
      let tries = 0;
      const away = () => Promise.reject(new Error('away'));
      const isAway = () => tries <= 12;
      const reaction = run({
        store: { ...at().store, head: () => (isAway() ? away() : at().store.head()) },
        judge: () => judgement,
        react: (event) => {
          tries += 1;
          return isAway() ? away() : react(event);
        },
        retryMsMax: 20,
      });
      await append('counter-1', 1);
      await eventually(() => expect(at().reacted).toEqual(['counter-1@0']));
      expect(await reaction.reachedHead(20_000)).toBe(true);
      expect(await parked()).toEqual([]);
      expect(tries).toBe(13);
    },
  );

  it.each(['the store', 'the database'])(
    'parks nothing where %s comes back during the tenth try',
    async (what) => {
      let tries = 0;
      const answer = <T>(asked: () => Promise<T>) =>
        tries < 10 ? Promise.reject(new Error('away')) : asked();
      const { store, db } = at();
      const reaction = run({
        ...(what === 'the store'
          ? { store: { ...store, head: () => answer(() => store.head()) } }
          : {
              db: {
                ...db,
                rows: (...of) => (tries === 0 ? db.rows(...of) : answer(() => db.rows(...of))),
              },
            }),
        react: (event) => {
          tries += 1;
          return tries <= 10 ? Promise.reject(new Error('away')) : react(event);
        },
        retryMsMax: 20,
      });
      const { position } = await append('counter-1', 1);
      expect(await reaction.reached(position, 20_000)).toBe(true);
      expect(await parked()).toEqual([]);
      expect(at().reacted).toEqual(['counter-1@0']);
    },
  );

  it('lets an instance that was replaced move nothing, wherever it wakes up', async () => {
    let wakeUp = () => {};
    const asleep = new Promise<void>((resolve) => (wakeUp = resolve));
    const refusals: unknown[] = [];
    const transaction: Database['transaction'] = (work) =>
      at()
        .db.transaction(work)
        .catch((error: unknown) => {
          refusals.push(error);
          throw error;
        });
    run({
      db: { ...at().db, transaction },
      react: async (event) => {
        await react(event);
        await asleep;
      },
    });
    await append('counter-1', 1);
    await eventually(() => expect(at().reacted).toHaveLength(1));
    await at().db.rows(
      `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name LIKE 'lease %'`,
    );
    const successor = await tryFencedLease(at().db.url, 'reaction publish');
    expect(successor?.epoch).toBe(2n);
    wakeUp();
    await eventually(() => expect(refusals).toEqual([expect.any(LeaseSuperseded)]));
    expect(await checkpoint()).toBeNull();
    await successor?.release();
    await eventually(() => expect(at().reacted).toEqual(['counter-1@0', 'counter-1@0']));
  });

  it('still parks behind what was parked before it was started', async () => {
    await append('counter-1', 1);
    await at().db.run(
      `INSERT INTO parked_events (reaction, stream, revision, type, cause) VALUES
       ('publish', 'counter-1', 0, 'Counted', 'broken'), ('other', 'counter-2', 0, 'Counted', 'x')`,
    );
    await at().store.append('counter-1', 0, newEvents(1));
    await append('counter-2', 1);
    expect(await run().reachedHead(20_000)).toBe(true);
    expect(at().reacted).toEqual(['counter-2@0']);
    expect(await parked()).toContainEqual(['counter-1@1', null]);
  });

  it('records what the domain refuses, once and without another try', async () => {
    let tries = 0;
    const reaction = run({
      react: (event) => {
        tries += 1;
        if (event.revision === 1) return react(event);
        return Promise.reject(new DomainError('too-late', 'the window is over'));
      },
    });
    const { position } = await append('counter-1', 2);
    expect(await reaction.reached(position, 20_000)).toBe(true);
    expect(tries).toBe(2);
    expect(at().reacted).toEqual(['counter-1@1']);
    expect(await parked()).toEqual([]);
    const refused = await at().db.rows(
      'SELECT reaction, stream, revision, type, code, detail FROM refused_events',
    );
    expect(refused).toEqual([
      {
        reaction: 'publish',
        stream: 'counter-1',
        revision: 0,
        type: 'Counted',
        code: 'too-late',
        detail: 'the window is over',
      },
    ]);
  });

  it('records a refusal whatever text it holds', async () => {
    const refuse = () => Promise.reject(new DomainError('too-late', 'not \u0000 text'));
    const { position } = await append('counter-1', 1);
    expect(await run({ react: refuse }).reached(position, 5_000)).toBe(true);
    const refused = await at().db.rows('SELECT code, detail FROM refused_events');
    expect(refused).toEqual([{ code: 'too-late', detail: 'not \\u0000 text' }]);
  });
});
