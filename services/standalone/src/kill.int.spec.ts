import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@patchtrail/testing';
import type { Listed, RolloutAnswer, Screen } from './demo/api.js';
import { parseHistory } from './demo/apt-history.js';
import { openAsAdmin, type Product } from './product.suite.js';
import {
  approve,
  leftRunning,
  type Machine,
  missedPatches,
  openWorld,
  type People,
  requestRollout,
  untilRollout,
  type World,
} from './rollouts.suite.js';

/** Two starts of the product and a rollout, on a busy host. */
const DEADLINE_MS = 300_000;

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterEach(async () => {
  await world.endAll();
});
afterAll(async () => {
  await world.close();
});

type Outcome = { attemptId: string; outcome: string; disposition?: string };
type Fact = {
  stream: string;
  type: string;
  recordedAt: Date;
  data: {
    leases?: { attemptId: string; endpointId: string }[];
    attempts?: { attemptId: string }[];
    outcomes?: Outcome[];
  };
};

/** What the event store holds, read past the product. */
async function facts(pattern: string): Promise<Fact[]> {
  const db = await openAsAdmin(world.dataDir, 'patchtrail_event_store');
  try {
    return await db.rows<Fact>(
      `SELECT stream, type, data, recorded_at AS "recordedAt" FROM event_store.events
       WHERE stream LIKE $1 ORDER BY position`,
      [pattern],
    );
  } finally {
    await db.close();
  }
}

/** How many times a message is on the bus, read past the product. */
async function copiesOnBus(messageId: string): Promise<number> {
  const db = await openAsAdmin(world.dataDir, 'patchtrail_bus');
  try {
    const rows = await db.rows(`SELECT 1 FROM messages WHERE attributes ->> 'id' = $1`, [
      messageId,
    ]);
    return rows.length;
  } finally {
    await db.close();
  }
}

const leasesIn = (events: readonly Fact[]) => events.flatMap(({ data }) => data.leases ?? []);
const outcomesIn = (events: readonly Fact[]) =>
  events
    .filter(({ type }) => type === 'OutcomesRecorded')
    .flatMap(({ data }) => data.outcomes ?? []);

/** The attempts that the machine's own history.log names, one for each transaction. */
async function transactionsOf({ history }: Machine): Promise<readonly string[]> {
  const text = await history();
  const marks = [...text.matchAll(/^Commandline: .*Patchtrail::Attempt=([0-9a-f-]{36})/gm)];
  expect(parseHistory(text)).toHaveLength(marks.length);
  return marks.map(([, attemptId = '']) => attemptId);
}

/** What reporting heard of the outcomes, from the public API. */
async function publishedOutcomes({ aud }: People, rolloutId: string): Promise<readonly Outcome[]> {
  return eventually(
    async () => {
      const path = `/v1/rollout-timelines/${rolloutId}?page_size=500`;
      type Entry = { type: string; data: { outcomes?: Outcome[] } };
      const { items } = (await aud.get<Screen<Listed<Entry>>>(path)).body.data;
      const isClosed = items.some(({ type }) => type.includes('.RolloutClosed.'));
      if (!isClosed) throw new Error('Reporting has not heard of the end.');
      return items
        .filter(({ type }) => type.includes('.OutcomesRecorded.'))
        .flatMap(({ data }) => data.outcomes ?? []);
    },
    { everyMs: 50 },
  );
}

const hasCompleted = ({ status }: RolloutAnswer) => status === 'completed';

/** One lease, one transaction, one outcome for every machine, whoever is asked. */
async function expectEachOnce(
  people: People,
  requestId: string,
  machines: readonly Machine[],
): Promise<void> {
  const { rolloutId } = await untilRollout(people, requestId, hasCompleted);
  const events = await facts(`rolloutWave-${rolloutId}%`);
  const attempts = leasesIn(events)
    .map(({ attemptId }) => attemptId)
    .toSorted();
  expect(new Set(attempts).size).toBe(machines.length);
  const transactions = await Promise.all(machines.map(transactionsOf));
  expect(transactions.map((list) => list.length)).toEqual(machines.map(() => 1));
  expect(transactions.flat().toSorted()).toEqual(attempts);

  const recorded = outcomesIn(events).map(({ attemptId, outcome, disposition }) =>
    [attemptId, outcome, disposition].join(' '),
  );
  expect(recorded.toSorted()).toEqual(attempts.map((id) => `${id} verified final`));
  const published = (await publishedOutcomes(people, rolloutId)).map(
    ({ attemptId, outcome }) => `${attemptId} ${outcome}`,
  );
  expect(published.toSorted()).toEqual(attempts.map((id) => `${id} verified`));
}

/** What a test works with; it ends with nothing left running. */
async function withMachines(
  product: Product,
  group: string,
  rings: readonly string[],
  work: (machines: readonly Machine[], people: People) => Promise<Product>,
  held = false,
): Promise<void> {
  const machines = await world.enrol(product, group, rings, held);
  const last = await work(machines, await world.people(product));
  expect(await leftRunning(world, last, machines)).toEqual([]);
}

describe('kill -9 of the standalone process', () => {
  it(
    'with leases out: what the agents did meanwhile is reported once',
    async () => {
      const product = await world.start();
      const rings = ['pilot', 'pilot', 'broad'];
      const work = async (machines: readonly Machine[], people: People) => {
        const patchIds = await missedPatches(people, machines);
        const requestId = await requestRollout(people, 'leases', patchIds, 0);
        await approve(people, requestId);
        const [first, second, broad] = machines.map(({ agent }) => agent);
        await Promise.all([first?.line(/"attempt-started"/), second?.line(/"attempt-started"/)]);
        await product.script.kill('SIGKILL');
        const before = await facts('rolloutWave-%');
        expect(before.filter(({ type }) => type === 'LeasesConfirmed')).toHaveLength(2);
        expect(outcomesIn(before)).toEqual([]);

        // One installs while nobody is there to be told, the other when the product is back.
        first?.say('go on');
        await first?.line(/"report-unacknowledged"/);
        const again = await world.start();
        second?.say('go on');
        await broad?.line(/"attempt-started"/, 30_000);
        broad?.say('go on');
        await expectEachOnce(await world.people(again), requestId, machines);
        return again;
      };
      await withMachines(product, 'leases', rings, work, true);
    },
    DEADLINE_MS,
  );

  it(
    'during a bake: the time goes on, and the next ring opens when it is over',
    async () => {
      const bakeMs = 6_000;
      const product = await world.start();
      await withMachines(product, 'bake', ['pilot', 'broad'], async (machines, people) => {
        const patchIds = await missedPatches(people, machines);
        const requestId = await requestRollout(people, 'bake', patchIds, bakeMs);
        await approve(people, requestId);
        const isBaking = ({ rings }: RolloutAnswer) => rings[0]?.phase === 'baking';
        const { rolloutId } = await untilRollout(people, requestId, isBaking);
        await product.script.kill('SIGKILL');
        const typesOf = (events: readonly Fact[]) => events.map(({ type }) => type);
        const before = await facts(`rollout-${rolloutId}`);
        expect(typesOf(before).at(-1)).toBe('TimerScheduled');
        expect(typesOf(before)).not.toContain('GateEvaluated');

        const again = await world.start();
        await expectEachOnce(await world.people(again), requestId, machines);
        const after = await facts(`rollout-${rolloutId}`);
        const gates = after.filter(({ type }) => type === 'GateEvaluated');
        expect(gates).toHaveLength(2);
        const began = before.at(-1)?.recordedAt.getTime() ?? 0;
        const passed = gates[0]?.recordedAt.getTime() ?? 0;
        expect(passed - began).toBeGreaterThanOrEqual(bakeMs - 100);
        return again;
      });
    },
    DEADLINE_MS,
  );

  it.each([
    ['RingsAuthorized', 'before', 'approvalRequest-%'],
    ['OutcomesRecorded', 'before', 'rolloutWave-%'],
    ['OutcomesRecorded', 'after', 'rolloutWave-%'],
  ])(
    'with %s appended, %s it is published',
    async (name, when, streams) => {
      const product = await world.start('stuck-publish.fixture.ts', name, when);
      const group = `${name}-${when}`;
      await withMachines(product, group, ['pilot', 'broad'], async (machines, people) => {
        const patchIds = await missedPatches(people, machines);
        const requestId = await requestRollout(people, group, patchIds, 0);
        const known = (await facts(streams)).length;
        await approve(people, requestId);
        const [, messageId = ''] = (await product.script.line(/^stuck with /)).split(/ with /);
        await product.script.kill('SIGKILL');
        const appended = (await facts(streams)).slice(known);
        expect(appended.map(({ type }) => type)).toContain(name);
        expect(await copiesOnBus(messageId)).toBe(when === 'before' ? 0 : 1);

        const again = await world.start();
        await expectEachOnce(await world.people(again), requestId, machines);
        expect(await copiesOnBus(messageId)).toBe(when === 'before' ? 1 : 2);
        return again;
      });
    },
    DEADLINE_MS,
  );
});
