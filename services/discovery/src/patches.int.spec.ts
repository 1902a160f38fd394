import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually } from '@patchtrail/testing';
import {
  hello,
  openRepository,
  type Repository,
} from './adapters/feeds/signed-repository.suite.js';
import { transactOn } from './adapters/postgres/tx.js';
import type { ArchiveAnswer } from './application/archive.js';
import { applyAnswer } from './application/sync-source.js';
import {
  admit,
  type Discovery,
  enrol,
  field,
  inventory,
  patchesIn,
  report,
  startDiscovery,
} from './discovery-harness.suite.js';
import { parseRelease } from './domain/release.js';

const dates = ['Fri, 20 Nov 2026 08:00:00 UTC', 'Fri, 20 Nov 2026 09:00:00 UTC'] as const;

let discovery: Discovery;
let repository: Repository;
let sourceId: string;
let used: readonly unknown[];

beforeAll(async () => {
  repository = await openRepository();
});
afterAll(() => repository.remove());

beforeEach(async () => {
  discovery = await startDiscovery();
  ({ sourceId, used } = await admit(discovery, repository));
});
afterEach(() => discovery.stop());

const sync = () => discovery.call('POST', `/v1/package-sources/${sourceId}/syncs`);

async function rowsOf(endpointId: string): Promise<unknown> {
  const { body } = await discovery.call('GET', `/v1/endpoints/${endpointId}`);
  return field(body, 'data', 'applicability');
}

describe('patches', () => {
  it('are found where an endpoint has an older version of a source', async () => {
    await repository.publish({
      label: 'Debian-Security',
      codename: 'lion-security',
      packages: [
        hello('1.2-1'),
        { name: 'libhello1', version: '1.2-1+b1', source: 'hello (1.2-1)', docLink: 'hello' },
      ],
    });
    const endpoint = await enrol(discovery, 'web-1');
    await report(
      discovery,
      endpoint,
      inventory(
        1,
        [
          ['hello', '1.0-1'],
          ['other', '3'],
        ],
        { sources: used },
      ),
    );
    expect(await sync()).toMatchObject({
      status: 200,
      body: { status: 'synced', packageCount: 2, releaseDigest: expect.stringMatching(/^sha256:/) },
    });
    await discovery.events();
    expect(await discovery.work()).toEqual([]);
    const events = await discovery.events();
    expect(events.map(({ type }) => type.split('.').at(-2))).toEqual([
      'PatchDiscovered',
      'ApplicabilityChanged',
    ]);
    const [discovered, applicability] = events;
    expect(discovered?.data).toMatchObject({
      revision: 1,
      vendor: 'example',
      vendorKey: 'hello@1.2-1',
      fromVersion: '1.0-1',
      codename: 'lion-security',
      securityOrigin: true,
      cves: ['CVE-2026-0002', 'CVE-2026-0003'],
      changelog: { status: 'verified' },
      artifacts: [
        { package: 'hello', version: '1.2-1', uri: expect.stringContaining(repository.uri) },
        { package: 'libhello1', version: '1.2-1+b1' },
      ],
    });
    expect(applicability?.data).toMatchObject({
      endpointId: endpoint.endpointId,
      inventorySequence: 1,
      changes: [
        { from: null, to: 'MISSING', installedVersion: '1.0-1', packages: ['hello:amd64'] },
      ],
    });
    expect(await patchesIn(discovery)).toMatchObject([
      { title: 'hello 1.2-1', endpoints: { MISSING: 1 } },
    ]);
  });

  it('are the same after the same work, and say nothing twice', async () => {
    await repository.publish({ packages: [hello('1.2-1')] });
    const endpoint = await enrol(discovery, 'web-1');
    await sync();
    await report(discovery, endpoint, inventory(1, [['hello', '1.0-1']], { sources: used }));
    await discovery.work();
    const before = await patchesIn(discovery);
    await discovery.events();
    await discovery.db.run(
      `INSERT INTO discovery_work (kind, endpoint_id) VALUES ('candidates', $1), ('applicability', $1)`,
      [endpoint.endpointId],
    );
    expect(await discovery.work()).toEqual([]);
    expect(await patchesIn(discovery)).toEqual(before);
    expect(await discovery.events()).toEqual([]);
  });

  it('follow the endpoint to INSTALLED, with one event for all differences of a report', async () => {
    await repository.publish({ packages: [hello('1.2-1'), { name: 'tool', version: '2' }] });
    const endpoint = await enrol(discovery, 'web-1');
    await sync();
    await report(
      discovery,
      endpoint,
      inventory(
        1,
        [
          ['hello', '1.0-1'],
          ['tool', '1'],
        ],
        { sources: used },
      ),
    );
    await discovery.work();
    await discovery.events();
    await report(
      discovery,
      endpoint,
      inventory(
        2,
        [
          ['hello', '1.2-1'],
          ['tool', '2'],
        ],
        { sources: used },
      ),
    );
    const [event, ...others] = await discovery.events('ApplicabilityChanged');
    expect(others).toEqual([]);
    expect(event?.data).toMatchObject({
      inventorySequence: 2,
      changes: [
        { from: 'MISSING', to: 'INSTALLED' },
        { from: 'MISSING', to: 'INSTALLED' },
      ],
    });
  });

  it('give nothing to an endpoint that does not use the source', async () => {
    await repository.publish({ packages: [hello('1.2-1')] });
    const [one, two] = [await enrol(discovery, 'web-1'), await enrol(discovery, 'web-2')];
    await sync();
    await report(discovery, two, inventory(1, [['hello', '1.0-1']]));
    await discovery.work();
    expect(await patchesIn(discovery)).toEqual([]);
    await report(discovery, one, inventory(1, [['hello', '1.1-1']], { sources: used }));
    await discovery.work();
    expect(await rowsOf(one.endpointId)).toMatchObject([{ state: 'MISSING' }]);
    expect(await rowsOf(two.endpointId)).toEqual([]);
  });

  it('tell an endpoint that needs nothing that it is INSTALLED', async () => {
    await repository.publish({ packages: [hello('1.2-1')] });
    const [old, current] = [await enrol(discovery, 'web-1'), await enrol(discovery, 'web-2')];
    await sync();
    await report(discovery, current, inventory(1, [['hello', '1.2-1']], { sources: used }));
    await discovery.work();
    await report(discovery, old, inventory(1, [['hello', '1.1-1']], { sources: used }));
    await discovery.work();
    expect(await rowsOf(current.endpointId)).toMatchObject([{ state: 'INSTALLED' }]);
  });

  it('are revised when an endpoint with an older version comes', async () => {
    await repository.publish({ packages: [hello('1.2-1')] });
    const [one, two] = [await enrol(discovery, 'web-1'), await enrol(discovery, 'web-2')];
    await sync();
    await report(discovery, one, inventory(1, [['hello', '1.1-1']], { sources: used }));
    await discovery.work();
    await discovery.events();
    await report(discovery, two, inventory(1, [['hello', '0.9-1']], { sources: used }));
    await discovery.work();
    const [revised] = await discovery.events('PatchRevised');
    expect(revised?.data).toMatchObject({
      revision: 2,
      fromVersion: '0.9-1',
      cves: ['CVE-2026-0001', 'CVE-2026-0002', 'CVE-2026-0003'],
    });
  });

  it('are superseded by a newer version of the same line', async () => {
    await repository.publish({ packages: [hello('1.1-1')], date: dates[0] });
    const endpoint = await enrol(discovery, 'web-1');
    await sync();
    await report(discovery, endpoint, inventory(1, [['hello', '1.0-1']], { sources: used }));
    await discovery.work();
    const [older] = await discovery.events('PatchDiscovered');
    await repository.publish({ packages: [hello('1.2-1')], date: dates[1] });
    expect(await sync()).toMatchObject({ body: { status: 'synced' } });
    await discovery.work();
    const events = await discovery.events();
    const newer = events.find(({ type }) => type.includes('PatchDiscovered'));
    expect(events.find(({ type }) => type.includes('PatchSuperseded'))?.data).toEqual({
      patchId: older?.data['patchId'],
      supersededBy: newer?.data['patchId'],
    });
    const current = await discovery.call('GET', '/v1/patches?superseded=false');
    expect(field(current.body, 'data', 'items')).toMatchObject([{ vendorKey: 'hello@1.2-1' }]);
  });

  it('are not offered by archives that want to be asked', async () => {
    await repository.publish({ packages: [hello('1.2-1')], extraFields: 'NotAutomatic: yes' });
    const endpoint = await enrol(discovery, 'web-1');
    await sync();
    await report(discovery, endpoint, inventory(1, [['hello', '1.0-1']], { sources: used }));
    await discovery.work();
    expect(await patchesIn(discovery)).toEqual([]);
    const { body } = await discovery.call('GET', `/v1/endpoints/${endpoint.endpointId}`);
    expect(field(body, 'data', 'aptCheck', 'agrees')).toBe(true);
  });
});

describe('an endpoint beside the index', () => {
  it('shows where its apt and the index differ', async () => {
    await repository.publish({ packages: [hello('1.2-1'), { name: 'tool', version: '2' }] });
    const endpoint = await enrol(discovery, 'web-1');
    await sync();
    const pending = (to: string) => [
      { package: 'hello', architecture: 'amd64', from: '1.0-1', to, origins: ['Example:1/stable'] },
    ];
    const packages = [
      ['hello', '1.0-1'],
      ['tool', '1'],
    ] as const;
    await report(
      discovery,
      endpoint,
      inventory(1, packages, {
        ...{ sources: used, holds: ['tool:amd64'], pendingUpgrades: pending('1.1-1') },
      }),
    );
    const path = `/v1/endpoints/${endpoint.endpointId}`;
    expect(field((await discovery.call('GET', path)).body, 'data', 'aptCheck')).toMatchObject({
      agrees: false,
      differences: [
        { package: 'hello:amd64', code: 'index-newer' },
        { package: 'tool:amd64', code: 'held' },
      ],
    });
    await report(
      discovery,
      endpoint,
      inventory(2, [['hello', '1.0-1']], { sources: used, pendingUpgrades: pending('1.2-1') }),
    );
    expect(field((await discovery.call('GET', path)).body, 'data', 'aptCheck')).toEqual({
      ...{ agrees: true, problem: null, differences: [] },
    });
  });
});

describe('syncs', () => {
  it('keep the old index in force when a new one is refused, and say so', async () => {
    await repository.publish({ packages: [hello('1.2-1')], date: dates[1] });
    const first = await sync();
    await discovery.events();
    await repository.publish({
      ...{ packages: [], date: dates[1] },
      servedRelease: (signed) => signed.replace('Label: Example', 'Label: Evil'),
    });
    expect(await sync()).toMatchObject({
      status: 200,
      body: {
        ...{ status: 'failed', code: 'bad-signature', packageCount: 1 },
        releaseDigest: field(first.body, 'releaseDigest'),
      },
    });
    expect((await discovery.events('FeedFailed'))[0]?.data).toMatchObject({
      ...{ sourceId, code: 'bad-signature' },
    });
    await repository.publish({ packages: [], date: dates[0] });
    expect(await sync()).toMatchObject({ body: { status: 'failed', code: 'replayed' } });
    const { body } = await discovery.call('GET', `/v1/package-sources/${sourceId}`);
    expect(field(body, 'data')).toMatchObject({ packageCount: 1, failure: { code: 'replayed' } });
    await repository.publish({ packages: [hello('1.2-1')], date: dates[1] });
    expect(await sync()).toMatchObject({ body: { packageCount: 1 } });
  });

  it('that were overtaken by a newer one change nothing', async () => {
    await repository.publish({ packages: [hello('1.2-1')], date: dates[1] });
    const { body } = await sync();
    const origin = {
      ...{ actor: 'spec', at: '2026-11-21T09:00:00.000Z', traceparent: 'none' },
      ...{ correlationId: 'spec', causationId: 'spec' },
    };
    const late: ArchiveAnswer = {
      status: 'new',
      releaseDigest: `sha256:${'0'.repeat(64)}`,
      release: parseRelease(`Date: ${dates[0]}\nSHA256:\n ${'0'.repeat(64)} 0 x\n`),
      packages: [],
    };
    const result = await transactOn(discovery.db)(origin, (tx) =>
      applyAnswer(tx, sourceId, late, origin.at),
    );
    expect(result).toMatchObject({
      ...{ status: 'failed', code: 'replayed', packageCount: 1 },
      releaseDigest: field(body, 'releaseDigest'),
    });
  });

  it('are done in time, and what was found goes out', async () => {
    await repository.publish({ packages: [hello('1.2-1')] });
    const endpoint = await enrol(discovery, 'web-1');
    await report(discovery, endpoint, inventory(1, [['hello', '1.0-1']], { sources: used }));
    await discovery.service.start();
    await eventually(async () => {
      expect(await rowsOf(endpoint.endpointId)).toMatchObject([{ state: 'MISSING' }]);
      expect(await discovery.events()).toEqual([]);
    });
    expect(await discovery.service.ready()).toMatchObject({ service: 'discovery', ok: true });
  });
});
