import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '@patchtrail/testing';
import { newTraceparent } from '@patchtrail/telemetry';
import { createAptArchive } from './adapters/feeds/apt-archive.js';
import { openRepository, type Repository } from './adapters/feeds/signed-repository.suite.js';
import { transactOn } from './adapters/postgres/tx.js';
import { workQueue } from './adapters/postgres/work-queue.js';
import type { Transact } from './application/ports.js';
import { workRound } from './application/work-round.js';
import {
  type Discovery,
  enrol,
  inventory,
  startDiscovery,
  text,
} from './discovery-harness.suite.js';

const archive = createAptArchive();
let discovery: Discovery;
let repository: Repository;
let endpointId: string;
let credential: string;
let sources: readonly unknown[];

beforeAll(async () => {
  repository = await openRepository();
  const packages = ['a', 'b', 'c', 'd'].map((name) => ({ name, version: '2' }));
  await repository.publish({ packages });
});
afterAll(() => repository.remove());

beforeEach(async () => {
  discovery = await startDiscovery();
  const { uri, suite, keyring } = repository;
  const place = { uri, suite, components: ['main'] };
  const admitted = await discovery.call('POST', '/v1/package-sources', {
    body: { ...place, architectures: ['amd64'], keyring },
  });
  await discovery.call('POST', `/v1/package-sources/${text(admitted.body, 'sourceId')}/syncs`);
  ({ endpointId, credential } = await enrol(discovery, 'web-1'));
  sources = [{ ...place, keyFingerprints: [] }];
  const packages = [
    ['a', '1'],
    ['b', '1'],
    ['c', '1'],
    ['d', '1'],
  ] as const;
  const body = inventory(1, packages, { sources });
  await discovery.call('PUT', `/v1/endpoints/${endpointId}/inventory`, {
    ...{ as: credential, body },
  });
  await discovery.events();
});
afterEach(() => discovery.stop());

const left = () =>
  discovery.db.rows<{ kind: string; attempts: number; cause: string | null }>(
    'SELECT kind, attempts, cause FROM discovery_work ORDER BY kind',
  );

async function untilWaiting(count: number): Promise<void> {
  const waiting = await discovery.db.rows(
    `SELECT DISTINCT pid FROM pg_locks WHERE NOT granted
        AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())`,
  );
  expect(waiting).toHaveLength(count);
}

async function found(): Promise<readonly unknown[]> {
  const events = await discovery.events();
  const patches = events.filter(({ type }) => type.includes('PatchDiscovered'));
  return patches.map(({ data }) => data['vendorKey']).sort();
}

describe('background work', () => {
  it('that is stopped half-way is finished by the next process, nothing twice', async () => {
    const controller = new AbortController();
    const stopping = {
      ...archive,
      readChangelog: (...[deb]: Parameters<typeof archive.readChangelog>) => {
        controller.abort();
        return archive.readChangelog(deb, new AbortController().signal);
      },
    };
    await discovery.work(stopping, controller.signal);
    expect(await left()).toContainEqual({ kind: 'candidates', attempts: 0, cause: null });
    const before = await found();
    expect(before.length).toBeLessThan(4);
    await discovery.work();
    expect([...before, ...(await found())].sort()).toEqual(['a@2', 'b@2', 'c@2', 'd@2']);
    expect(await left()).toEqual([]);
  });

  it('that is killed before endpoints are asked about again stays to be done', async () => {
    const { db } = discovery;
    const id = randomUUID();
    const caused = { correlationId: id, causationId: id, traceparent: newTraceparent() };
    const origin = () => ({ actor: 'spec', at: '2026-11-21T09:00:00.000Z', ...caused });
    const killed = () => Promise.reject(new Error('killed'));
    const transact: Transact = (from, work) =>
      transactOn(db)(from, (tx) => work({ ...tx, work: { ...tx.work, add: killed } }));
    const { signal } = new AbortController();
    await expect(workRound({ transact, archive, origin, signal }, 3_600_000)).rejects.toThrow(
      'killed',
    );
    expect(await left()).toContainEqual({ kind: 'candidates', attempts: 0, cause: null });
  });

  it('that fails for one patch goes on with the others, and is tried again later', async () => {
    const failing = {
      ...archive,
      readChangelog: (...[deb, signal]: Parameters<typeof archive.readChangelog>) =>
        deb.uri.includes('/b_')
          ? Promise.reject(new Error('out of disk'))
          : archive.readChangelog(deb, signal),
    };
    expect(await discovery.work(failing)).toEqual(['b 2: out of disk']);
    expect(await found()).toEqual(['a@2', 'c@2', 'd@2']);
    expect(await left()).toEqual([{ kind: 'candidates', attempts: 1, cause: 'b 2: out of disk' }]);
    expect(await discovery.work()).toEqual([]);
    expect(await found()).toEqual([]);
    discovery.setNow('2026-11-21T09:00:01.000Z');
    expect(await discovery.work()).toEqual([]);
    expect(await found()).toEqual(['b@2']);
    expect(await left()).toEqual([]);
  });

  it('is taken up in the order in which it was asked for', async () => {
    const asked = Array.from({ length: 4 }, () => randomUUID());
    await discovery.db.run('DELETE FROM discovery_work');
    // The numbers of the queue have one digit, then two.
    await discovery.db.rows(`SELECT setval('discovery_work_generation', 7)`);
    const queue = workQueue(discovery.db);
    for (const id of asked) await queue.add('candidates', id);
    const now = '2026-11-21T09:00:00.000Z';
    const next = await queue.next('candidates', 3, now);
    expect(next.map((item) => item.endpointId)).toEqual(asked.slice(0, 3));
  });

  it.each(['done', 'failed'] as const)(
    'that is %s waits in no circle with work that is asked for again',
    async (settled) => {
      const now = '2026-11-21T09:00:00.000Z';
      const [low, high] = [`0${randomUUID().slice(1)}`, `f${randomUUID().slice(1)}`];
      await discovery.db.run('DELETE FROM discovery_work');
      for (const id of [high, low]) await workQueue(discovery.db).add('candidates', id);
      const items = await workQueue(discovery.db).next('candidates', 2, now);
      const [asking, settling] = await discovery.db
        .transaction(async (first) => {
          await first.rows('SELECT FROM discovery_work WHERE endpoint_id = $1 FOR UPDATE', [low]);
          const asked = discovery.db.transaction(async (sql) => {
            for (const id of [low, high]) await workQueue(sql).add('candidates', id);
          });
          await eventually(() => untilWaiting(1));
          const done = discovery.db.transaction((sql) =>
            workQueue(sql)[settled](items, 'cause', now),
          );
          await eventually(() => untilWaiting(2));
          return [asked, done.catch((error: unknown) => error)] as const;
        })
        .then((both) => Promise.all(both));
      expect([asking, settling]).toEqual([undefined, undefined]);
    },
  );

  it('for a retired endpoint is let go', async () => {
    await discovery.call('POST', `/v1/endpoints/${endpointId}/retirement`, {
      ...{ body: { reason: 'sold' }, ifMatch: '*' },
    });
    await discovery.events();
    await discovery.work();
    expect(await discovery.events()).toEqual([]);
    expect(await left()).toEqual([]);
  });

  it('leaves the rows of a retired endpoint as they were', async () => {
    await discovery.work();
    await discovery.call('POST', `/v1/endpoints/${endpointId}/retirement`, {
      ...{ body: { reason: 'sold' }, ifMatch: '*' },
    });
    await discovery.db.run('DELETE FROM applicability');
    await discovery.db.run(
      `INSERT INTO discovery_work (kind, endpoint_id) VALUES ('applicability', $1)`,
      [endpointId],
    );
    await discovery.events();
    await discovery.work();
    expect(await discovery.events()).toEqual([]);
    expect(await left()).toEqual([]);
  });

  it('assesses an endpoint that a patch was recorded beside, unseen by each other', async () => {
    await discovery.work();
    // As if the inventory had been taken in the transaction beside that of the patch.
    await discovery.db.run('DELETE FROM applicability');
    await discovery.db.run(
      `INSERT INTO discovery_work (kind, endpoint_id) VALUES ('candidates', $1)`,
      [endpointId],
    );
    await discovery.events();
    await discovery.work();
    expect(await discovery.events('ApplicabilityChanged')).toMatchObject([
      { data: { endpointId, changes: { length: 4 } } },
    ]);
  });

  it('finds nothing for packages of which only configuration is left', async () => {
    const removed = ['a', 'b', 'c', 'd'].map((name) => [name, '1', { status: 'rc ' }] as const);
    await discovery.call('PUT', `/v1/endpoints/${endpointId}/inventory`, {
      ...{ as: credential, body: inventory(2, removed, { sources }) },
    });
    await discovery.work();
    expect(await found()).toEqual([]);
  });
});
