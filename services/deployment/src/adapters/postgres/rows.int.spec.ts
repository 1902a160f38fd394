import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { commandIdFrom } from '@patchtrail/event-store';
import { type Database, openDatabase } from '@patchtrail/postgres';
import { freshDatabase, type FreshDatabase } from '@patchtrail/testing';
import { createWorld, type World } from '../../application/world.suite.js';
import { planOf, ring } from '../../domain/examples.suite.js';
import { listsIn } from './lists.js';
import { membershipIn } from './membership.js';
import { deploymentMigrations } from './migrations.js';
import { deploymentReadModels } from './read-models.js';

const requestOf = (n: number) => commandIdFrom('request', String(n));

describe('rows of rollouts whose first ring is empty', () => {
  let fresh: FreshDatabase;
  let db: Database;
  let world: World;
  beforeEach(async () => {
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

  const project = async () => {
    await db.transaction(async (tx) => {
      for (const event of world.events) await deploymentReadModels.apply(tx, event);
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
});
