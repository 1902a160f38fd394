/** @jest-environment-options {"customExportConditions":["@patchtrail/source","node","node-addons"]} */
import { describe, expect, it } from '@jest/globals';
import { DomainError } from '@patchtrail/event-sourcing';
import { eventually } from '@patchtrail/testing';
import type { StoredEvent } from '../event-store.js';
import { nameOf, reactionStage } from './reaction.suite.js';

describe('a reaction with lanes', () => {
  const { at, react, run, append, checkpoint, parked } = reactionStage();
  /** The events of one stream are a lane. */
  const laneOf = ({ stream }: StoredEvent) => stream;
  const started = () => {
    let begin: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    return { begun, begin: () => begin() };
  };

  it('acts on events of different lanes at once, each of which waits for the other', async () => {
    for (const stream of ['counter-1', 'counter-2', 'counter-3']) await append(stream, 2);
    const lanes = new Map(['counter-1', 'counter-2', 'counter-3'].map((name) => [name, started()]));
    const reaction = run({
      laneOf,
      react: async (event) => {
        lanes.get(event.stream)?.begin();
        await Promise.all([...lanes.values()].map(({ begun }) => begun));
        return react(event);
      },
    });
    expect(await reaction.reachedHead(20_000)).toBe(true);
    expect(at().reacted).toHaveLength(6);
  });

  it('keeps the order of a lane, never acts on two of it, and on four lanes at most', async () => {
    const streams = Array.from({ length: 7 }, (_, n) => `counter-${n}`);
    for (const stream of streams) await append(stream, 5);
    const inHand: string[] = [];
    let most = 0;
    const reaction = run({
      laneOf,
      react: async (event) => {
        expect(inHand).not.toContain(event.stream);
        inHand.push(event.stream);
        most = Math.max(most, inHand.length);
        await new Promise((resolve) => setImmediate(resolve));
        inHand.splice(inHand.indexOf(event.stream), 1);
        return react(event);
      },
    });
    expect(await reaction.reachedHead(20_000)).toBe(true);
    for (const stream of streams) {
      const own = at().reacted.filter((name) => name.startsWith(`${stream}@`));
      expect(own).toEqual(Array.from({ length: 5 }, (_, n) => `${stream}@${n}`));
    }
    expect(most).toBe(4);
    expect(await parked()).toEqual([]);
  });

  it('keeps its checkpoint behind what is not done, whatever is done after it', async () => {
    const { position: first } = await append('counter-1', 1);
    await append('counter-2', 1);
    const slow = started();
    const reaction = run({
      laneOf,
      react: async (event) => {
        if (event.stream === 'counter-1') await slow.begun;
        return react(event);
      },
    });
    await eventually(() => expect(at().reacted).toEqual(['counter-2@0']));
    expect(await reaction.reached(first, 20)).toBe(false);
    expect(await checkpoint()).toBeNull();
    slow.begin();
    expect(await reaction.reachedHead(20_000)).toBe(true);
    await eventually(async () => expect(await checkpoint()).toBe(reaction.position()));
    expect(at().reacted).toEqual(['counter-2@0', 'counter-1@0']);
  });

  it('parks a stream of a lane, records what is refused, and goes on with all others', async () => {
    await append('counter-1', 3);
    await append('other-1', 2);
    await append('counter-2', 2);
    const broken = 'counter-1@1';
    const reaction = run({
      prefixes: ['counter-', 'other-'],
      laneOf: ({ stream }) => (stream === 'counter-2' ? 'two' : 'one'),
      react: (event) => {
        if (nameOf(event) === broken) return Promise.reject(new Error(`no ${broken}`));
        if (nameOf(event) === 'counter-2@0') {
          return Promise.reject(new DomainError('too-late', 'the window is over'));
        }
        return react(event);
      },
      judge: () => 'hopeless',
    });
    expect(await reaction.reachedHead(20_000)).toBe(true);
    expect(await parked()).toEqual([
      [broken, `Error: no ${broken}`],
      ['counter-1@2', null],
    ]);
    expect(at().reacted.toSorted()).toEqual([
      'counter-1@0',
      'counter-2@1',
      'other-1@0',
      'other-1@1',
    ]);
    const refusals = await at().db.rows('SELECT stream, revision, code FROM refused_events');
    expect(refusals).toEqual([{ stream: 'counter-2', revision: 0, code: 'too-late' }]);
  });

  it('begins nothing more when it is stopped, and leaves it to the next', async () => {
    for (const stream of ['counter-1', 'counter-2']) await append(stream, 5);
    const reaction = run({
      laneOf,
      react: (event) => {
        if (event.revision === 1) at().stop.abort();
        return react(event);
      },
    });
    await reaction.done;
    expect(at().reacted.length).toBeLessThan(6);
    at().stop = new AbortController();
    expect(await run({ laneOf }).reachedHead(20_000)).toBe(true);
    expect(new Set(at().reacted).size).toBe(10);
  });
});
