import { judge } from '../oracle.js';
import { type Random, randomFrom } from '../random.js';
import type { Actors, Asked, Steps } from './actors.js';
import { type Mutant, MUTANTS } from './mutants.js';
import { emptyWorld, observationsOf, type World } from './world.js';

/** Who does one thing after another: `null` where there is nothing more to do. */
type Process = Readonly<{ next: () => Steps | null; isRelay: boolean }>;
type Running = { process: Process; steps: Steps | null; isDead: boolean };

const CLIENTS = 3;
const COMMANDS_EACH = 4;
const ROWS = 8;
const KEYS = ['a', 'b', 'c'] as const;
const STEPS_OF_CHAOS = 400;
const STEPS_MAX = 4_000;
const CRASH_PERCENT = 8;
const LEASE_LOST_PERCENT = 5;
const SEEDS_MAX = 20;

/** The rules that a run of these actors breaks, with crashes where the seed puts them. */
export function brokenBy(actors: Actors, seed: number): readonly string[] {
  const world = emptyWorld();
  const random = randomFrom(seed);
  const running = processesOf(world, actors, random).map((process) => {
    return { process, steps: null, isDead: false };
  });
  for (let step = 0; step < STEPS_OF_CHAOS; step += 1) {
    const [one] = random.shuffled(running);
    if (one !== undefined) disturb(world, actors, one, random);
  }
  // Then nothing more goes wrong, and everybody gets to an end.
  for (let step = 0; step < STEPS_MAX; step += 1) advance(running[step % running.length]);
  return [...judge(observationsOf(world)).keys()];
}

function disturb(world: World, actors: Actors, one: Running, random: Random): void {
  if (one.steps !== null && random.below(100) < CRASH_PERCENT) {
    one.steps = null;
    one.isDead = !actors.restarts;
    if (one.process.isRelay) world.isLeased = false;
    return;
  }
  // As when its session is ended: whoever holds the lease does not know it yet.
  if (random.below(100) < LEASE_LOST_PERCENT) world.isLeased = false;
  advance(one);
}

function advance(one: Running | undefined): void {
  if (one === undefined || one.isDead) return;
  one.steps ??= one.process.next();
  if (one.steps?.next().done === true) one.steps = null;
}

function processesOf(world: World, actors: Actors, random: Random): readonly Process[] {
  const again = (work: (world: World) => Steps, isRelay = false): Process => ({
    next: () => work(world),
    isRelay,
  });
  const clients = Array.from({ length: CLIENTS }, (_, index) =>
    clientOf(world, actors, commandsOf(index, random)),
  );
  return [
    ...clients,
    rowsOf(world, actors, random),
    again(actors.publisher),
    again(actors.relay, true),
    again(actors.relay, true),
    again(actors.consumer),
    again(actors.projection),
  ];
}

function commandsOf(client: number, random: Random): readonly Asked[] {
  return Array.from({ length: COMMANDS_EACH }, (_, n) => ({
    stream: `thing-${random.pick(KEYS)}`,
    mark: `command ${String(client)}.${String(n)}`,
  }));
}

/** Asks the same again until there is an answer, then the next. */
function clientOf(world: World, actors: Actors, commands: readonly Asked[]): Process {
  let tries = 0;
  const next = () => {
    const asked = commands.find(({ mark }) => !world.commands.some((known) => known.mark === mark));
    if (asked === undefined) return null;
    tries += 1;
    return actors.command(world, asked, tries);
  };
  return { next, isRelay: false };
}

function rowsOf(world: World, actors: Actors, random: Random): Process {
  const keys = Array.from({ length: ROWS }, () => random.pick(KEYS));
  const next = () => {
    const number = world.rows.length;
    const key = keys[number];
    return key === undefined ? null : actors.row(world, key, number);
  };
  return { next, isRelay: false };
}

export type Caught = Readonly<{
  mutant: Mutant;
  /** The first seed with which its rule sees it; `null` where none does. */
  seed: number | null;
  /** Every rule that sees it then. */
  rules: readonly string[];
}>;

/** For each mutant the first of some seeds that shows it. */
export function catchMutants(): readonly Caught[] {
  return MUTANTS.map((mutant) => {
    for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
      const rules = brokenBy(mutant.actors, seed);
      if (rules.includes(mutant.rule)) return { mutant, seed, rules };
    }
    return { mutant, seed: null, rules: [] };
  });
}
