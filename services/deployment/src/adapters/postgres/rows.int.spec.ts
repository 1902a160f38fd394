import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { commandIdFrom, createKeyedQueue, type StoredEvent } from '@patchtrail/event-store';
import { type Database, openDatabase } from '@patchtrail/postgres';
import { freshDatabase, type FreshDatabase } from '@patchtrail/testing';
import type { AgentDeps } from '../../application/lease-ports.js';
import { offerLease } from '../../application/offer-lease.js';
import { createWorld, PATCH, type World } from '../../application/world.suite.js';
import { planOf, ring } from '../../domain/examples.suite.js';
import { listsIn } from './lists.js';
import { membershipIn, refusedReportsIn } from './membership.js';
import { deploymentMigrations } from './migrations.js';
import { deploymentReadModels } from './read-models.js';

const PATCH_ROW = `
  INSERT INTO patches (patch_id, revision, content_digest, source_package, source_version, artifacts)
  VALUES ($1, 1, $2, 'tzdata', '2', '[]')`;

const requestOf = (n: number) => commandIdFrom('request', String(n));

describe('rows of rollouts', () => {
  let fresh: FreshDatabase;
  let db: Database;
  let world: World;
  beforeEach(async () => {
    projected = 0;
    fresh = await freshDatabase('deployment_rows');
    const migrations = deploymentMigrations;
    db = await openDatabase({ url: fresh.url, applicationName: 'spec', migrations });
    const plan = planOf([ring('staging'), ring('broad')]);
    world = createWorld({ plan, ringsOf: ['broad'], seed: 1, partSize: 500 });
  });
  afterEach(async () => {
    await db.close();
    await fresh.drop();
  });

  let projected = 0;
  /** Up to the first event that is not to be known yet. */
  const project = async (isUnknown: (event: StoredEvent) => boolean = () => false) => {
    await db.transaction(async (tx) => {
      for (const event of world.events.slice(projected)) {
        if (isUnknown(event)) return;
        await deploymentReadModels.apply(tx, event);
        projected += 1;
      }
    });
  };
  const statuses = async () => {
    const rows = await listsIn(db).rollouts({ requestId: null }, { limit: 100, after: null });
    return rows.map(({ status }) => status);
  };

  it('say that it runs, while it waits for an authorization', async () => {
    await world.authorize(requestOf(0), 0);
    await world.react();
    await project();
    expect(await statuses()).toEqual(['running']);
  });

  it('say that it halts when it was halted while it was planned', async () => {
    await world.authorize(requestOf(0), 0);
    await world.together([() => world.actions.operate(0, world.operations.halt)]);
    await world.react();
    const upToFrozen = world.events.findIndex(({ type }) => type === 'CohortFrozen') + 1;
    world.events.splice(upToFrozen);
    await project();
    expect(await statuses()).toEqual(['halting']);
  });

  it('do not hide an open ring from an endpoint that many others wait with', async () => {
    for (let n = 0; n < 60; n += 1) await world.authorize(requestOf(n), n === 59 ? 1 : 0);
    await world.react();
    await project();
    const opened = world.events.flatMap(({ type, stream }) =>
      type === 'PartOpened' ? [stream] : [],
    );
    const endpointId = commandIdFrom('endpoint', '0');
    expect(opened).toHaveLength(1);
    expect(await membershipIn(db).openParts(endpointId)).toEqual(opened);
  });

  it('do not let an endpoint have two leases while they are behind', async () => {
    const endpointId = commandIdFrom('endpoint', '0');
    const enrol = 'INSERT INTO endpoints (endpoint_id, attributes) VALUES ($1, $2::jsonb)';
    await db.run(enrol, [endpointId, '{}']);
    await db.run(PATCH_ROW, [PATCH.patchId, PATCH.contentDigest]);
    await world.authorize(requestOf(0), 1);
    await world.react();
    for (const act of ['poll', 'confirm'] as const) {
      await world.together([() => world.actions[act](0, 0)]);
    }
    await world.together([() => world.actions.report(0, 0, 0)]);
    await world.react();
    await world.authorize(requestOf(1), 1);
    await world.react();
    for (const operation of [world.operations.halt, world.operations.rollback]) {
      await world.together([() => world.actions.operate(0, operation)]);
      await world.react();
    }
    const deps: AgentDeps = {
      streams: world.direct,
      membership: membershipIn(db),
      refused: refusedReportsIn(db),
      queue: createKeyedQueue(),
    };
    const poll = (n: number) => offerLease(deps, endpointId, null, world.contextOf(String(n)));

    await project(({ type }) => type === 'OutcomesRecorded');
    const first = await poll(1);
    expect(first).toMatchObject({ kind: 'rollback' });
    await project(({ type }) => type === 'RollbackPlanned');
    expect(await poll(2)).toEqual(first);
  });
});
