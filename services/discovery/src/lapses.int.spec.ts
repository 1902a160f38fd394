import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '@patchtrail/testing';
import {
  changelogText,
  openRepository,
  type Repository,
} from './adapters/feeds/signed-repository.suite.js';
import {
  type Discovery,
  enrol,
  field,
  inventory,
  startDiscovery,
  text,
} from './discovery-harness.suite.js';

type Endpoint = Awaited<ReturnType<typeof enrol>>;

const changelog = changelogText('hello', [{ version: '1.0-1', text: 'First.' }]);
const hour = (n: number) => `Fri, 20 Nov 2026 0${n}:00:00 UTC`;
const THREE_DAYS_ON = '2026-11-24T09:00:00.000Z';
const LATER = '2026-11-24T10:00:00.000Z';

let discovery: Discovery;
let repository: Repository;
let sourceId: string;
let used: unknown[];
let old: Endpoint;
let current: Endpoint;

beforeAll(async () => {
  repository = await openRepository();
});
afterAll(() => repository.remove());

const offer = async (n: number, versions: readonly string[]) => {
  const packages = versions.map((version) => ({ name: 'hello', version, changelog }));
  await repository.publish({ packages, date: hour(n) });
  const { body } = await sync();
  return text(body, 'status');
};
const sync = () => discovery.call('POST', `/v1/package-sources/${sourceId}/syncs`);

const report = async (endpoint: Endpoint, sequence: number, version: string) => {
  const path = `/v1/endpoints/${endpoint.endpointId}/inventory`;
  const body = inventory(sequence, [['hello', version]], { sources: used });
  const answer = await discovery.call('PUT', path, { as: endpoint.credential, body });
  return field(answer.body, 'changed');
};
const rowsOf = async ({ endpointId }: Endpoint) => {
  const { body } = await discovery.call('GET', `/v1/endpoints/${endpointId}`);
  return field(body, 'data', 'applicability');
};
const patches = async () =>
  field((await discovery.call('GET', '/v1/patches')).body, 'data', 'items');
const patch = async (version: string) => {
  const items = await patches();
  const list: readonly unknown[] = Array.isArray(items) ? items : [];
  return list.find((item) => field(item, 'sourceVersion') === version);
};

/** One machine below 1.2-1, one at it, and the patch that says so. */
beforeEach(async () => {
  discovery = await startDiscovery();
  const { uri, suite, keyring } = repository;
  used = [{ uri, suite, components: ['main'], keyFingerprints: [] }];
  const admitted = await discovery.call('POST', '/v1/package-sources', {
    body: { uri, suite, components: ['main'], architectures: ['amd64'], keyring },
  });
  sourceId = text(admitted.body, 'sourceId');
  await offer(1, ['1.2-1']);
  [old, current] = [await enrol(discovery, 'web-1'), await enrol(discovery, 'web-2')];
  await report(old, 1, '1.0-1');
  await report(current, 1, '1.2-1');
  await discovery.work();
  await discovery.events();
});
afterEach(() => discovery.stop());

describe('an endpoint without inventories', () => {
  const fallSilent = async () => {
    discovery.setNow(THREE_DAYS_ON);
    expect(await report(current, 2, '1.2-1')).toBe(false);
    discovery.setNow(LATER);
    await discovery.work();
  };

  it('is UNKNOWN once it is silent for too long, said once', async () => {
    discovery.setNow(THREE_DAYS_ON);
    await discovery.work();
    expect(await discovery.events()).toEqual([]);
    await fallSilent();
    const reason = expect.stringContaining(
      'no inventory for 3 d, last seen 2026-11-21T09:00:00.000Z',
    );
    expect(await discovery.events()).toMatchObject([
      {
        type: 'org.patchtrail.discovery.ApplicabilityChanged.v1',
        data: { endpointId: old.endpointId, changes: [{ from: 'MISSING', to: 'UNKNOWN', reason }] },
      },
    ]);
    expect(await rowsOf(old)).toMatchObject([
      { state: 'UNKNOWN', reason, installedVersion: '1.0-1' },
    ]);
    expect(await rowsOf(current)).toMatchObject([{ state: 'INSTALLED' }]);
    discovery.setNow('2026-11-24T11:00:00.000Z');
    await discovery.work();
    expect(await discovery.events()).toEqual([]);
  });

  it('is UNKNOWN for a patch found meanwhile, too', async () => {
    await fallSilent();
    await discovery.events();
    await offer(2, ['1.3-1']);
    await discovery.work();
    const changes = (await discovery.events('ApplicabilityChanged')).filter(
      ({ data }) => data['endpointId'] === old.endpointId,
    );
    expect(changes).toMatchObject([{ data: { changes: [{ from: null, to: 'UNKNOWN' }] } }]);
  });

  it.each([
    ['unchanged', '1.0-1', false, 'MISSING'],
    ['changed', '1.2-1', true, 'INSTALLED'],
  ])('is known again with its next one, %s', async (_, version, changed, to) => {
    await fallSilent();
    await discovery.events();
    expect(await report(old, 2, version)).toBe(changed);
    expect(await discovery.events('ApplicabilityChanged')).toMatchObject([
      { data: { inventorySequence: 2, changes: [{ from: 'UNKNOWN', to }] } },
    ]);
    await discovery.work();
    expect(await discovery.events()).toEqual([]);
    const { body } = await discovery.call('GET', `/v1/endpoints/${old.endpointId}`);
    expect(field(body, 'data')).toMatchObject({ lastSeenAt: LATER, staleSince: null });
  });

  it('is left alone when it is retired', async () => {
    await discovery.call('POST', `/v1/endpoints/${old.endpointId}/retirement`, {
      ...{ body: { reason: 'sold' }, ifMatch: '*' },
    });
    await discovery.events();
    await fallSilent();
    expect(await discovery.events()).toEqual([]);
    const { body } = await discovery.call('GET', `/v1/endpoints/${old.endpointId}`);
    expect(field(body, 'data')).toMatchObject({ lifecycle: 'retired', staleSince: null });
  });

  it('is noticed by the background work', async () => {
    discovery.setNow(LATER);
    await discovery.service.start();
    await eventually(async () => {
      expect(await rowsOf(old)).toMatchObject([{ state: 'UNKNOWN' }]);
    });
  });

  it('is noticed among more than one look takes', async () => {
    await discovery.db.run(
      `INSERT INTO endpoints (endpoint_id, revision, lifecycle, attributes, credential_digest,
                              agent_version, enrolled_at, last_seen_at)
       SELECT gen_random_uuid(), 1, 'active', attributes, credential_digest, agent_version,
              enrolled_at, last_seen_at
         FROM endpoints, generate_series(1, 60) WHERE endpoint_id = $1`,
      [old.endpointId],
    );
    discovery.setNow(LATER);
    await discovery.work();
    const rows = await discovery.db.rows('SELECT FROM endpoints WHERE stale_since IS NULL');
    expect(rows).toHaveLength(0);
  });
});

describe('a patch that no archive carries any more', () => {
  it('is withdrawn: nobody needs it, and where it is installed stays known', async () => {
    expect(await offer(2, ['1.0-1'])).toBe('synced');
    await discovery.work();
    const events = await discovery.events();
    expect(events.map(({ type }) => type.split('.').at(-2))).toEqual([
      'FeedSynced',
      'PatchWithdrawn',
      'ApplicabilityChanged',
    ]);
    expect(events[1]?.data).toMatchObject({
      reason: expect.stringMatching(
        /^no admitted archive of example .+ carries hello 1\.2-1 any more$/,
      ),
    });
    expect(events[2]?.data).toMatchObject({
      endpointId: old.endpointId,
      changes: [
        {
          ...{ from: 'MISSING', to: 'NOT_APPLICABLE' },
          reason: 'hello 1.2-1 is withdrawn: no archive carries it any more',
        },
      ],
    });
    expect(await patches()).toMatchObject([
      { status: 'withdrawn', supersededBy: null, endpoints: { INSTALLED: 1 } },
    ]);
    expect(field(await patch('1.2-1'), 'endpoints')).toEqual({ INSTALLED: 1 });
    await sync();
    await discovery.work();
    expect(await discovery.events()).toEqual([]);
  });

  it('is offered again when it comes back', async () => {
    await offer(2, []);
    await discovery.work();
    await discovery.events();
    await offer(3, ['1.2-1']);
    await discovery.work();
    const [revised, ...others] = await discovery.events('PatchRevised');
    expect(others).toEqual([]);
    expect(revised?.data).toMatchObject({
      revision: 2,
      vendorKey: 'hello@1.2-1',
      fromVersion: '1.0-1',
    });
    expect(await patches()).toMatchObject([
      { status: 'available', revision: 2, endpoints: { MISSING: 1, INSTALLED: 1 } },
    ]);
    await sync();
    await discovery.work();
    expect(await discovery.events()).toEqual([]);
  });

  it('comes back also where nobody needs it', async () => {
    await report(old, 2, '1.2-1');
    await offer(2, []);
    await discovery.work();
    expect(await patch('1.2-1')).toMatchObject({ status: 'withdrawn' });
    await offer(3, ['1.2-1']);
    await discovery.work();
    expect(await patch('1.2-1')).toMatchObject({ status: 'available', revision: 2 });
  });

  it('is superseded, not withdrawn, when a newer version took its place', async () => {
    await offer(2, ['1.3-1']);
    await discovery.work();
    expect(await discovery.events('PatchWithdrawn')).toEqual([]);
    expect(await patch('1.2-1')).toMatchObject({ status: 'superseded', withdrawnAt: null });
  });

  it('gives way to the one that it had superseded, where that is carried again', async () => {
    await offer(2, ['1.3-1']);
    await discovery.work();
    await discovery.events();
    await offer(3, ['1.2-1']);
    await discovery.work();
    const events = await discovery.events();
    expect(events.map(({ type }) => type.split('.').at(-2))).toEqual([
      'FeedSynced',
      'PatchWithdrawn',
      // Who holds it for superseded learns in its own order that it is so no more.
      'PatchWithdrawn',
      'PatchRevised',
      'ApplicabilityChanged',
      'ApplicabilityChanged',
    ]);
    expect(events[2]?.data).toEqual({
      patchId: events[3]?.data['patchId'],
      reason: 'the patch that superseded hello@1.2-1 is withdrawn',
    });
    expect(await patch('1.3-1')).toMatchObject({ status: 'withdrawn', endpoints: {} });
    expect(await patch('1.2-1')).toMatchObject({ status: 'available', supersededBy: null });
  });

  it('is none because its archive could not be fetched', async () => {
    await repository.publish({
      ...{ packages: [], date: hour(2) },
      servedRelease: (signed) => signed.replace('Label: Example', 'Label: Evil'),
    });
    expect(await sync()).toMatchObject({ body: { status: 'failed' } });
    await discovery.work();
    expect(await discovery.events('PatchWithdrawn')).toEqual([]);
    expect(await patch('1.2-1')).toMatchObject({ status: 'available' });
  });

  it('is withdrawn when a later look finds it gone, if it was recorded beside the sync', async () => {
    await offer(2, []);
    await discovery.work();
    // As if the patch had been recorded from the old index after the new one came.
    await discovery.db.run('UPDATE patches SET withdrawn_at = NULL');
    await discovery.db.run(
      `INSERT INTO discovery_work (kind, endpoint_id) VALUES ('applicability', $1)`,
      [old.endpointId],
    );
    await discovery.work();
    await discovery.events();
    expect(await sync()).toMatchObject({ body: { status: 'unchanged' } });
    await discovery.work();
    expect(await discovery.events()).toMatchObject([
      { type: expect.stringContaining('PatchWithdrawn') },
      { data: { changes: [{ from: 'MISSING', to: 'NOT_APPLICABLE' }] } },
    ]);
  });
});
