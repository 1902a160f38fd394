import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { REQUESTS_TOPIC } from '@patchtrail/contracts';
import type { StoredEvent } from '@patchtrail/event-store';
import { eventually, runScript } from '@patchtrail/testing';
import { createAudit } from './application/audit.suite.js';
import { rolloutIdOf } from './application/names.js';
import {
  agentOf,
  authorizing,
  enrolled,
  type Enrolled,
  freshDatabases,
  PATCH,
  publishFleet,
  readerOf,
  runLease,
  startDeployment,
  untilStatus,
} from './deployment.suite.js';
import { planOf, ring } from './domain/examples.suite.js';

const SCRIPT = new URL('crash-script.suite.ts', import.meta.url);

let databases: Awaited<ReturnType<typeof freshDatabases>>;
beforeAll(async () => {
  databases = await freshDatabases();
});
afterAll(async () => {
  await databases.drop();
});

const rings = [ring('pilot', { bakeMs: 0 }), ring('broad', { bakeMs: 0 })];

/** Everything the store holds, in its order. */
async function allEvents(
  deployment: Awaited<ReturnType<typeof startDeployment>>,
): Promise<StoredEvent[]> {
  const stop = new AbortController();
  const events: StoredEvent[] = [];
  const options = { after: null, prefixes: [], signal: stop.signal };
  for await (const item of deployment.eventStore.subscribe(options)) {
    if (item.kind === 'caught-up') break;
    events.push(item.event);
  }
  return events;
}

/** A copy of an endpoint under another id, known at once. */
async function addNewcomer(
  { db }: Awaited<ReturnType<typeof startDeployment>>,
  [like]: readonly Enrolled[],
): Promise<void> {
  const endpointId = randomUUID();
  const added = await db.run(
    `INSERT INTO endpoints SELECT $1, attributes FROM endpoints WHERE endpoint_id = $2`,
    [endpointId, like?.endpointId],
  );
  assert.equal(added, 1);
  await db.run('INSERT INTO needed_patches VALUES ($1, $2)', [endpointId, PATCH.patchId]);
}

describe('kill -9 between an append and what follows from it', () => {
  it.each(['RolloutCreated', 'PartPlanned', 'CohortFrozen', 'PartOpened'])(
    'after %s: the same cohort, each part once, every endpoint once',
    async (type) => {
      const endpoints = ['pilot', 'pilot', 'broad', 'broad'].map((name) =>
        enrolled(name, PATCH.patchId, type),
      );
      const scope = { attributes: { 'labels.batch': type } };
      const authorized = authorizing(planOf(rings), scope);
      const before = await startDeployment(databases.urls);
      await publishFleet(before, endpoints);
      await before.close();

      const { own, bus, store } = databases.urls;
      const script = runScript(SCRIPT, { args: [own, bus, store, type] });
      await script.line(/^started$/);
      const deployment = await startDeployment(databases.urls, { servesOnly: true });
      await deployment.bus.publish(REQUESTS_TOPIC, [authorized.message]);
      await script.line(new RegExp(`^appended ${type}$`));
      await script.kill('SIGKILL');
      // The fleet goes on; a cohort that has been drafted does not.
      if (type !== 'RolloutCreated') await addNewcomer(deployment, endpoints);
      await deployment.close();

      const resumed = await startDeployment(databases.urls);
      const reader = readerOf(resumed);
      try {
        const rolloutId = rolloutIdOf(authorized.requestId);
        await eventually(() => untilStatus(resumed, rolloutId, 'running'));
        await Promise.all(endpoints.map((one) => runLease(agentOf(resumed, one))));
        await untilStatus(resumed, rolloutId, 'completed');
        const audit = createAudit();
        const events = (await allEvents(resumed)).filter(({ stream }) =>
          stream.includes(rolloutId),
        );
        for (const event of events) audit.see(event);
        audit.settle();
        const planned = events.filter((event) => event.type === 'PartPlanned');
        expect(planned).toHaveLength(2);
        expect(await resumed.db.rows('SELECT 1 FROM cohort_drafts')).toEqual([]);
        await eventually(() => {
          const ids = reader.published
            .filter(({ partitionkey }) => partitionkey === rolloutId)
            .filter((message) => message.type.includes('OutcomesRecorded'))
            .map(({ id }) => id);
          expect(new Set(ids).size).toBe(endpoints.length);
        });
      } finally {
        await reader.stop();
        await resumed.close();
      }
    },
    120_000,
  );

  it('after HaltRequested: every part stops, and the rollback runs', async () => {
    const endpoints = ['pilot', 'broad'].map((name) => enrolled(name, PATCH.patchId));
    const scope = { endpointIds: endpoints.map(({ endpointId }) => endpointId) };
    const authorized = authorizing(planOf(rings), scope);
    const rolloutId = rolloutIdOf(authorized.requestId);
    const [first] = endpoints;
    assert.ok(first);
    const serving = await startDeployment(databases.urls, { servesOnly: true });
    const { own, bus, store } = databases.urls;
    const script = runScript(SCRIPT, { args: [own, bus, store, 'HaltRequested'] });
    await script.line(/^started$/);
    try {
      await publishFleet(serving, endpoints);
      await serving.bus.publish(REQUESTS_TOPIC, [authorized.message]);
      await runLease(agentOf(serving, first), { outcome: 'failed', class: 'maintainer-script' });
      await script.line(/^appended HaltRequested$/);
    } finally {
      await script.kill('SIGKILL');
      await serving.close();
    }
    const resumed = await startDeployment(databases.urls);
    try {
      await runLease(agentOf(resumed, first), { outcome: 'rolled-back' });
      const view = await untilStatus(resumed, rolloutId, 'rolled-back');
      expect(view).toMatchObject({ epoch: 2, totals: { rolledBack: 1, cancelled: 1 } });
      const halts = await resumed.eventStore.read(`rollout-${rolloutId}`);
      expect(halts.filter(({ type }) => type === 'HaltRequested')).toHaveLength(1);
    } finally {
      await resumed.close();
    }
  }, 60_000);
});
