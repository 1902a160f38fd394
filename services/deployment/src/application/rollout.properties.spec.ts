import assert from 'node:assert/strict';
import { describe, it } from '@jest/globals';
import fc from 'fast-check';
import { commandIdFrom, load } from '@patchtrail/event-store';
import { planOf, ring } from '../domain/examples.suite.js';
import { countersOf, stateNameOf } from '../domain/wave-part-state.js';
import { entriesOf } from '../domain/table.js';
import { PART_PREFIX } from './names.js';
import { createWorld, type World } from './world.suite.js';

const RINGS = ['staging', 'pilot', 'broad'] as const;
const RUNS = 1_000;

type Step = Readonly<{ act: string; n: number; m: number; k: number }>;

const step: fc.Arbitrary<Step> = fc.record({
  act: fc.oneof(
    { weight: 24, arbitrary: fc.constantFrom('poll', 'confirm', 'report') },
    { weight: 16, arbitrary: fc.constantFrom('drive', 'driveNext', 'driveNext') },
    { weight: 6, arbitrary: fc.constantFrom('repeat', 'forge', 'driveAgain', 'fire') },
    { weight: 3, arbitrary: fc.constantFrom('halt', 'rollback', 'cancel', 'widen') },
  ),
  n: fc.nat(30),
  m: fc.nat(1),
  k: fc.nat(4),
});

const ringPlan = fc.record({
  cap: fc.record({
    unit: fc.constantFrom('endpoints' as const, 'percent' as const),
    value: fc.constantFrom(1, 2, 3, 40),
  }),
  gate: fc.record({
    successPercentMin: fc.constantFrom(0, 50, 100),
    failuresMax: fc.constantFrom(0, 1, 2),
  }),
  bakeMs: fc.constantFrom(0, 60_000),
});

const scenario = fc.record({
  seed: fc.nat(),
  rings: fc.tuple(ringPlan, ringPlan, ringPlan),
  rollback: fc.constantFrom('automatic' as const, 'manual' as const),
  attemptsMax: fc.constantFrom(1, 2),
  ringsOf: fc.array(fc.constantFrom(...RINGS, 'none'), { minLength: 1, maxLength: 7, size: 'max' }),
  /** Rings of several parts come from parts of one or two endpoints. */
  partSize: fc.constantFrom(1, 2, 500),
  rollouts: fc.constantFrom(1, 2),
  /** Whether the first ring is open before the disorder begins. */
  planned: fc.boolean(),
  batches: fc.array(fc.array(step, { minLength: 1, maxLength: 3, size: 'max' }), {
    maxLength: 40,
    size: 'max',
  }),
});
type Scenario = typeof scenario extends fc.Arbitrary<infer S> ? S : never;

function worldOf(s: Scenario): World {
  const rings = RINGS.map((name, index) => ring(name, s.rings[index]));
  const retry = { attemptsMax: s.attemptsMax, backoffMs: 30_000 };
  const plan = planOf(rings, { rollback: s.rollback, retry });
  return createWorld({ plan, ringsOf: s.ringsOf, seed: s.seed, partSize: s.partSize });
}

function work(world: World, { act, n, m, k }: Step): () => Promise<void> {
  const { actions, operations } = world;
  const acts: Readonly<Record<string, () => Promise<void>>> = {
    poll: () => actions.poll(n, m),
    confirm: () => actions.confirm(n, m),
    report: () => actions.report(n, m, k),
    repeat: () => actions.repeat(n, m),
    forge: () => actions.forge(n, m),
    drive: () => actions.drive(n),
    driveNext: () => actions.drive(0),
    driveAgain: () => actions.driveAgain(n),
    fire: () => actions.fire(n),
    halt: () => actions.operate(n, operations.halt),
    rollback: () => actions.operate(n, operations.rollback),
    cancel: () => actions.operate(n, operations.cancel),
    widen: () => world.authorize(requestOf(n % 2), 2),
  };
  return acts[act] ?? assert.fail(act);
}

function requestOf(index: number): string {
  return commandIdFrom('request', String(index));
}

async function runThrough(world: World, s: Scenario): Promise<void> {
  for (let index = 0; index < s.rollouts; index += 1) {
    await world.authorize(requestOf(index), s.seed % RINGS.length);
  }
  if (s.planned) await world.react();
  for (const batch of s.batches) await world.together(batch.map((one) => work(world, one)));
}

/** Authorizes what is left, lets every agent fall silent, and ends what waits for a person. */
async function settle(world: World): Promise<void> {
  for (const index of world.rolloutIds.keys()) {
    const requestId = [0, 1].map(requestOf)[index];
    if (requestId !== undefined) await world.authorize(requestId, RINGS.length - 1);
  }
  await world.exhaust();
  for (const index of world.rolloutIds.keys()) {
    await world.together([() => world.actions.operate(index, world.operations.cancel)]);
  }
  await world.exhaust();
}

describe('a rollout under any interleaving', () => {
  it('keeps cap, epochs, order of rings and one end per endpoint', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (s) => {
        const world = worldOf(s);
        await runThrough(world, s);
        await settle(world);
        world.audit.settle();
        await recount(world);
      }),
      { numRuns: RUNS },
    );
  }, 600_000);
});

async function recount(world: World): Promise<void> {
  const streams = new Set(world.events.map(({ stream }) => stream));
  for (const stream of [...streams].filter((name) => name.startsWith(PART_PREFIX))) {
    const { state } = await load(world.direct.parts, stream);
    assert.ok(state.status !== 'absent');
    const names = [...entriesOf(state.endpoints)].map(([, endpoint]) => stateNameOf(endpoint));
    const counters = countersOf(state);
    assert.equal(counters.planned, names.length);
    assert.equal(counters.waiting + counters.inFlight, 0);
    assert.equal(
      counters.rolledBack + counters.rollbackFailed,
      names.filter((name) => name.startsWith('roll')).length,
    );
  }
}
