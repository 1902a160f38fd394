import { describe, expect, it } from '@jest/globals';
import { POINT_NAMES } from './points.js';
import { randomFrom } from './random.js';
import { scheduleOf } from './schedule.js';

const killsIn = (seed: number, kills: number) =>
  scheduleOf(randomFrom(seed), kills, true).flatMap((act) =>
    act.kind === 'kill' ? [act.point] : [],
  );

describe('the schedule of faults', () => {
  it('is the same for the same seed, and another one for another', () => {
    const of = (seed: number) => scheduleOf(randomFrom(seed), 30, true);
    expect(of(5)).toEqual(of(5));
    expect(of(5)).not.toEqual(of(6));
  });

  it.each([1, 2, 3])('of seed %s kills at every point before it begins again', (seed) => {
    const points = killsIn(seed, 2 * POINT_NAMES.length);
    for (const from of [0, POINT_NAMES.length]) {
      const round = points.slice(from, from + POINT_NAMES.length);
      expect(round.toSorted()).toEqual(POINT_NAMES.toSorted());
    }
  });

  it('takes away, slows down and cuts off what is behind the hosts, a broker if there is one', () => {
    const others = (hasBroker: boolean, kills: number) =>
      scheduleOf(randomFrom(1), kills, hasBroker).flatMap((act) =>
        act.kind === 'kill' ? [] : [`${act.of} ${act.how}`],
      );
    const ways = ['closed', 'cut', 'delay', 'half-open', 'kill', 'stop'];
    const database = ways.map((how) => `database ${how}`);
    expect([...new Set(others(false, 40))].toSorted()).toEqual(database);
    const broker = ways.map((how) => `broker ${how}`);
    expect([...new Set(others(true, 40))].toSorted()).toEqual([...broker, ...database]);
    expect(others(true, 60)).toContain('database vanish');
    expect(others(true, 60)).toContain('broker vanish');
  });
});
