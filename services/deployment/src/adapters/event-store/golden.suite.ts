import assert from 'node:assert/strict';
import { commandIdFrom, createMemoryEventStore, type StoredEvent } from '@patchtrail/event-store';
import { goldenKind } from '@patchtrail/event-store/golden';
import { createStreams } from '../../application/streams.js';
import { createWorld, type World } from '../../application/world.suite.js';
import { planOf, ring } from '../../domain/examples.suite.js';
import { rolloutCodec } from './rollout-codec.js';
import { wavePartCodec } from './wave-part-codec.js';

/** What the golden streams of this service are made of, and what each of them is about. */

export const GOLDEN = new URL('./golden/', import.meta.url);

const kinds = createStreams(createMemoryEventStore(), {
  rollout: rolloutCodec,
  wavePart: wavePartCodec,
});
export const goldenKinds = [
  goldenKind('rollout', kinds.rollouts),
  goldenKind('rolloutWave', kinds.parts),
];

const VERIFIED = 0;
const FAILED = 1;
const ALREADY_COMPLIANT = 2;
const FAILED_IN_PASSING = 3;
const ROLLED_BACK = 0;
const TRIES_MAX = 50;

/** Acts until something is recorded: what the agents reach is at times behind the streams. */
async function recorded(world: World, act: () => Promise<void>): Promise<void> {
  const before = world.events.length;
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    await world.together([act]);
    if (world.events.length > before) return;
  }
  assert.fail('nothing was recorded');
}

/** An agent takes its lease, starts and reports. */
async function runLease(world: World, agent: number, outcome: number): Promise<void> {
  const { actions } = world;
  await recorded(world, () => actions.poll(agent, 0));
  await recorded(world, () => actions.confirm(agent, 0));
  await recorded(world, () => actions.report(agent, 0, outcome));
  await world.react();
}

async function fire(world: World, purpose: string): Promise<void> {
  const at = world.timers.findLastIndex(({ timerId }) => timerId.startsWith(`${purpose}:`));
  assert.ok(at >= 0, `no timer for ${purpose}`);
  await recorded(world, () => world.actions.fire(at));
  await world.react();
}

async function operate(world: World, operation: keyof World['operations']): Promise<void> {
  await recorded(world, () => world.actions.operate(0, world.operations[operation]));
  await world.react();
}

/** One endpoint has the change already and says otherwise too late; the second ring is empty. */
async function completed(): Promise<World> {
  const request = commandIdFrom('request', 'completed');
  const world = worldOf(['pilot'], 'automatic');
  await world.authorize(request, 0);
  await world.react();
  await recorded(world, () => world.actions.poll(0, 0));
  await recorded(world, () => world.actions.report(0, 0, ALREADY_COMPLIANT));
  await recorded(world, () => world.actions.report(0, 0, FAILED));
  await world.react();
  await fire(world, 'bake');
  await world.authorize(request, 1);
  await world.react();
  return world;
}

/** One endpoint succeeds at its second attempt; the silence of the other one breaks the gate. */
async function rolledBack(): Promise<World> {
  const request = commandIdFrom('request', 'rolled-back');
  const world = worldOf(['pilot', 'pilot'], 'automatic');
  await world.authorize(request, 1);
  await world.react();
  await runLease(world, 0, FAILED_IN_PASSING);
  await fire(world, 'retry');
  await runLease(world, 0, VERIFIED);
  await fire(world, 'wave-deadline');
  await runLease(world, 0, ROLLED_BACK);
  return world;
}

/** Halted by hand while one endpoint works on it; its agent never answers to the rollback. */
async function rollbackFailed(): Promise<World> {
  const request = commandIdFrom('request', 'rollback-failed');
  const world = worldOf(['pilot', 'pilot', 'broad'], 'manual');
  const { actions } = world;
  await world.authorize(request, 1);
  await world.react();
  await recorded(world, () => actions.poll(0, 0));
  await recorded(world, () => actions.confirm(0, 0));
  await recorded(world, () => actions.poll(1, 0));
  await operate(world, 'halt');
  await recorded(world, () => actions.report(0, 0, VERIFIED));
  await world.react();
  await operate(world, 'rollback');
  await recorded(world, () => actions.poll(0, 0));
  await fire(world, 'rollback-deadline');
  return world;
}

function worldOf(ringsOf: readonly string[], rollback: 'automatic' | 'manual'): World {
  const plan = planOf([ring('pilot'), ring('broad')], { rollback });
  return createWorld({ plan, ringsOf, seed: 7, partSize: 500 });
}

const scenarios: Readonly<Record<string, () => Promise<World>>> = {
  completed,
  'rolled-back': rolledBack,
  'rollback-failed': rollbackFailed,
};
export const SCENARIOS = Object.keys(scenarios);

/** What the deciders of today make of a scenario. */
export async function runScenario(name: string): Promise<readonly StoredEvent[]> {
  const world = await scenarios[name]?.();
  return world?.events ?? [];
}
