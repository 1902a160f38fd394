import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { eventually } from '@patchtrail/testing';
import { newTraceparent } from '@patchtrail/telemetry';
import { createAptArchive } from './adapters/feeds/apt-archive.js';
import { openRepository, type Repository } from './adapters/feeds/signed-repository.suite.js';
import { bindTx, transactOn } from './adapters/postgres/tx.js';
import { considerCandidate } from './application/discover-patches.js';
import type { Transact } from './application/ports.js';
import { withdrawPatches } from './application/withdraw-patches.js';
import { type Discovery, NOW, startDiscovery, text } from './discovery-harness.suite.js';

let discovery: Discovery;
let repository: Repository;

beforeEach(async () => {
  discovery = await startDiscovery();
  repository = await openRepository();
  const packages = ['1.1-1', '1.2-1'].map((version) => ({ name: 'hello', version }));
  await repository.publish({ packages });
  const { uri, suite, keyring } = repository;
  const admitted = await discovery.call('POST', '/v1/package-sources', {
    body: { uri, suite, components: ['main'], architectures: ['amd64'], keyring },
  });
  await discovery.call('POST', `/v1/package-sources/${text(admitted.body, 'sourceId')}/syncs`);
  await discovery.events();
});
afterEach(async () => {
  await discovery.stop();
  await repository.remove();
});

const caused = { correlationId: 'spec', causationId: 'spec', traceparent: newTraceparent() };
const consider = (transact: Transact, sourceVersion: string) => {
  const line = { vendor: 'example', release: 'lion', sourcePackage: 'hello' };
  const ports = {
    transact,
    archive: createAptArchive(),
    origin: () => ({ actor: 'spec', at: NOW, ...caused }),
    signal: new AbortController().signal,
  };
  return considerCandidate(ports, { ...line, sourceVersion, fromVersion: '1.0-1' });
};

async function untilSomebodyWaits(): Promise<void> {
  const waiting = await discovery.db.rows(
    `SELECT 1 FROM pg_locks WHERE NOT granted
        AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())`,
  );
  expect(waiting).not.toEqual([]);
}

/** The first is recorded, but not yet for others to see, while the second comes. */
async function considerAtOnce(first: string, second: string): Promise<void> {
  let other: Promise<void> = Promise.resolve();
  const keptOpen: Transact = (origin, work) =>
    discovery.db.transaction(async (sql) => {
      const result = await work(bindTx(sql, origin));
      const published = await sql.rows('SELECT 1 FROM outbox');
      if (published.length === 0) return result;
      other = consider(transactOn(discovery.db), second);
      await Promise.race([other, eventually(untilSomebodyWaits)]);
      return result;
    });
  await consider(keptOpen, first);
  await other;
}

it.each([
  ['1.1-1', '1.2-1'],
  ['1.2-1', '1.1-1'],
])('of two versions recorded at once the older is superseded: %s, then %s', async (...versions) => {
  await considerAtOnce(...versions);
  const events = await discovery.events();
  const ids = new Map(events.map(({ data }) => [data['sourceVersion'], data['patchId']]));
  expect(events.filter(({ type }) => type.includes('PatchSuperseded'))).toMatchObject([
    { data: { patchId: ids.get('1.1-1'), supersededBy: ids.get('1.2-1') } },
  ]);
});

it('what two syncs find gone at once is withdrawn once', async () => {
  await consider(transactOn(discovery.db), '1.2-1');
  await discovery.events();
  await discovery.db.run('DELETE FROM index_packages');
  const origin = { actor: 'spec', at: NOW, ...caused };
  const withdraw = () =>
    transactOn(discovery.db)(origin, async (tx) => {
      await withdrawPatches(tx, NOW);
    });
  let other: Promise<void> = Promise.resolve();
  await discovery.db.transaction(async (sql) => {
    await withdrawPatches(bindTx(sql, origin), NOW);
    other = withdraw();
    await Promise.race([other, eventually(untilSomebodyWaits)]);
  });
  await other;
  expect(await discovery.events('PatchWithdrawn')).toHaveLength(1);
});

it('of two who record the same version at once, one discovers it', async () => {
  await considerAtOnce('1.2-1', '1.2-1');
  expect((await discovery.events()).map(({ type }) => type.split('.').at(-2))).toEqual([
    'PatchDiscovered',
  ]);
});
