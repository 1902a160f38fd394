import type { Point } from './points.js';
import { POINT_NAMES } from './points.js';
import type { Random } from './random.js';

export type HostGroup = 'front' | 'back';

/** One thing that goes wrong, and how long it lasts. */
export type Act =
  | Readonly<{
      kind: 'kill';
      point: Point;
      group: HostGroup;
      replica: number;
      nth: number;
      delayMs: number;
    }>
  | Readonly<{ kind: 'outage'; of: 'database' | 'broker'; how: 'kill' | 'stop'; ms: number }>
  | Readonly<{
      kind: 'weather';
      of: 'database' | 'broker';
      how: 'cut' | 'delay' | 'half-open' | 'vanish' | 'closed';
      ms: number;
    }>;

/** Who comes by a point: the front hosts relay rows, the back ones keep streams. */
const GROUPS: Readonly<Record<Point, readonly [HostGroup, ...HostGroup[]]>> = {
  'append-checkpoint': ['back'],
  'send-acknowledgement': ['back', 'front'],
  'acknowledgement-checkpoint': ['back', 'front'],
  projection: ['back'],
  'effect-offset': ['back', 'front'],
  'group-commit': ['back'],
  'hand-over': ['front', 'back'],
  rebalance: ['back', 'front'],
  random: ['back', 'front'],
};

const NTH_MAX = 4;
const DELAY_MS_MAX: Readonly<Partial<Record<Point, number>>> = {
  'send-acknowledgement': 4,
  rebalance: 150,
  random: 1_500,
};
const REPLICAS = 2;
/** After so many kills something behind the hosts goes wrong. */
const KILLS_BETWEEN = 3;
/** So many kills make a long run: it has the time to wait until a vanished peer is given up. */
const KILLS_LONG = 50;

/** Every point in turn, in an order of its own each round, with outages and bad weather between. */
export function scheduleOf(random: Random, kills: number, hasBroker: boolean): readonly Act[] {
  const acts: Act[] = [];
  const others = troubles(random, hasBroker, kills >= KILLS_LONG);
  let points: readonly Point[] = [];
  for (let n = 0; n < kills; n += 1) {
    if (points.length === 0) points = random.shuffled(POINT_NAMES);
    const [point = 'random', ...rest] = points;
    points = rest;
    acts.push(killAt(random, point));
    if (n % KILLS_BETWEEN === KILLS_BETWEEN - 1) {
      acts.push(others[Math.floor(n / KILLS_BETWEEN) % others.length] ?? killAt(random, 'random'));
    }
  }
  return acts;
}

export function killAt(random: Random, point: Point, group = random.pick(GROUPS[point])): Act {
  return {
    ...{ kind: 'kill', point, group, replica: random.below(REPLICAS) },
    nth: 1 + random.below(NTH_MAX),
    delayMs: random.below(1 + (DELAY_MS_MAX[point] ?? 0)),
  };
}

function troubles(random: Random, hasBroker: boolean, isLong: boolean): readonly Act[] {
  const ms = () => 500 + random.below(2_000);
  const of = (what: 'database' | 'broker'): readonly Act[] => [
    { kind: 'outage', of: what, how: 'kill', ms: ms() },
    { kind: 'outage', of: what, how: 'stop', ms: ms() },
    { kind: 'weather', of: what, how: 'cut', ms: 0 },
    { kind: 'weather', of: what, how: 'half-open', ms: 2_000 + ms() },
    ...(isLong ? [{ kind: 'weather', of: what, how: 'vanish', ms: ms() } as const] : []),
    { kind: 'weather', of: what, how: 'delay', ms: ms() },
    { kind: 'weather', of: what, how: 'closed', ms: ms() },
  ];
  return random.shuffled([...of('database'), ...(hasBroker ? of('broker') : [])]);
}
