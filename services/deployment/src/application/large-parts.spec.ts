import { describe, expect, it } from '@jest/globals';
import { commandIdFrom, load } from '@patchtrail/event-store';
import { fold } from '@patchtrail/event-sourcing';
import { planOf, ring } from '../domain/examples.suite.js';
import { hasPlannedRollback, wavePart } from '../domain/wave-part.js';
import type { WavePartEvent } from '../domain/wave-part-messages.js';
import { rolloutStream } from './names.js';
import { createWorld, type World } from './world.suite.js';

const REQUEST = commandIdFrom('request', 'large');
const LEASE = { attempt: 1, epoch: 1, leaseExpiresAt: '2026-11-21T10:00:00Z', rollbackOf: null };
const CAP_1 = { unit: 'endpoints', value: 1 } as const;

/** One ring whose cap lets it be one part only, however many endpoints it has. */
async function openedWith(
  endpoints: number,
  cap: { unit: 'endpoints'; value: number },
  failuresMax = endpoints,
) {
  const gate = { successPercentMin: 100, failuresMax };
  const retry = { attemptsMax: 2, backoffMs: 3_000_000 };
  const plan = planOf([ring('staging', { cap, gate })], { rollback: 'automatic', retry });
  const ringsOf = Array.from({ length: endpoints }, () => 'staging');
  const world = createWorld({ plan, ringsOf, seed: 1, partSize: 100_000 });
  await world.authorize(REQUEST, 0);
  await world.react();
  return world;
}

async function rolloutOf(world: World) {
  const [id = ''] = world.rolloutIds;
  return (await load(world.direct.rollouts, rolloutStream(id))).state;
}

async function halt(world: World): Promise<void> {
  await world.together([() => world.actions.operate(0, world.operations.halt)]);
  await world.react();
}

/** Every endpoint has failed once with as long a report as is taken, and waits for its retry. */
async function failedEach(world: World, count: number, transient: boolean): Promise<void> {
  const detail = '€'.repeat(4_000);
  for (let index = 0; index < count; index += 1) {
    await world.together([() => world.actions.poll(index, 0)]);
    await world.together([() => world.actions.confirm(index, 0)]);
    await world.together([() => world.actions.report(index, 0, transient ? 3 : 1, detail)]);
  }
}

describe('what does not fit into one append', () => {
  it('does not keep a part of many endpoints from halting', async () => {
    const world = await openedWith(12_000, CAP_1);
    await halt(world);
    expect(await rolloutOf(world)).toMatchObject({ status: 'halted' });
  }, 20_000);

  it('does not keep long reports of many failures from being part of a halt', async () => {
    const world = await openedWith(120, { unit: 'endpoints', value: 120 });
    await failedEach(world, 120, true);
    await halt(world);
    expect(await rolloutOf(world)).toMatchObject({ status: 'halted' });
  }, 20_000);

  it('does not keep a breach with a hundred long reports from halting', async () => {
    const world = await openedWith(110, { unit: 'endpoints', value: 110 }, 99);
    await failedEach(world, 110, false);
    await world.react();
    expect(await rolloutOf(world)).toMatchObject({ status: 'rolling-back' });
  }, 20_000);

  it('does not keep the deadline of a ring from ending a part of many endpoints', async () => {
    const world = await openedWith(16_000, CAP_1);
    await world.exhaust();
    expect(await rolloutOf(world)).toMatchObject({ status: 'closed', outcome: 'rolled-back' });
    world.audit.settle();
  }, 20_000);

  it('does not keep more endpoints than it holds from being rolled back', () => {
    const endpoints = Array.from({ length: 12_000 }, (_, n) => commandIdFrom('endpoint', `${n}`));
    const attempts = endpoints.map((endpointId) => {
      return { endpointId, attemptId: commandIdFrom('attempt', endpointId) };
    });
    const leases = attempts.map((one) => {
      return { ...one, ...LEASE, kind: 'install' as const };
    });
    const past: readonly WavePartEvent[] = [
      { type: 'PartPlanned', data: { rolloutId: 'r', ring: 0, part: 0, endpoints } },
      { type: 'LeasesIssued', data: { leases } },
      { type: 'LeasesConfirmed', data: { epoch: 1, attempts } },
      { type: 'LeasesExpired', data: { kind: 'install', detail: '', expired: attempts } },
      { type: 'PartHalted', data: { epoch: 2, stopped: [] } },
    ];
    let part = fold(wavePart, past);
    const planned: string[] = [];
    for (let piece = 0; piece < 20 && !hasPlannedRollback(part); piece += 1) {
      const events = wavePart.decide({ type: 'StartRollback', data: { epoch: 2 } }, part);
      expect(Buffer.byteLength(JSON.stringify(events))).toBeLessThan(1_000_000);
      for (const event of events) {
        if (event.type !== 'RollbackPlanned') continue;
        planned.push(...event.data.endpoints.map(({ endpointId }) => endpointId));
        part = wavePart.evolve(part, event);
      }
    }
    expect(planned.toSorted()).toEqual(endpoints.toSorted());
  });
});
