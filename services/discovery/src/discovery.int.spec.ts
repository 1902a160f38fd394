import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openApiDifference, pageToken } from '@patchtrail/platform';
import { newKey } from './adapters/feeds/signed-repository.suite.js';
import { readDiscoveryConfig } from './config.js';
import { type Discovery, field, startDiscovery } from './discovery-harness.suite.js';

let discovery: Discovery;

beforeAll(async () => {
  discovery = await startDiscovery();
});
afterAll(() => discovery.stop());

const entry = (index: number, of: Readonly<Record<string, unknown>> = {}) => ({
  cveID: `CVE-2026-${String(index).padStart(5, '0')}`,
  ...{ dateAdded: '2026-06-08', dueDate: '2026-06-13', shortDescription: 'x', ...of },
});
const catalogue = (
  version: string,
  vulnerabilities: readonly unknown[],
  count = vulnerabilities.length,
) => ({
  ...{ catalogVersion: version, dateReleased: `${version}T10:00:00Z`, count, vulnerabilities },
});
const take = (document: unknown, key = randomUUID()) =>
  discovery.call('POST', '/v1/threat-signals:import', { body: { signal: 'kev', document }, key });

describe('the KEV catalogue', () => {
  it('is taken as a whole, and its news are published in parts', async () => {
    const entries = Array.from({ length: 501 }, (_, index) => entry(index));
    const key = randomUUID();
    const taken = { catalogVersion: '2026-06-10', count: 501, added: 501, changed: 0 };
    const first = await take(catalogue('2026-06-10', entries), key);
    expect(first).toMatchObject({ status: 200, body: taken });
    expect((await take(catalogue('2026-06-10', entries), key)).body).toEqual(first.body);
    const parts = await discovery.events('ThreatSignalChanged');
    expect(parts.map(({ data }) => [data['part'], data['parts'], data['catalogCount']])).toEqual([
      [1, 2, 501],
      [2, 2, 501],
    ]);
    expect(parts.map(({ data }) => field(data, 'entries', 'length'))).toEqual([500, 1]);

    expect((await take(catalogue('2026-06-10', entries))).body).toMatchObject({
      added: 0,
      changed: 0,
    });
    expect(await discovery.events()).toEqual([]);

    const flipped = [entry(0, { knownRansomwareCampaignUse: 'Known' }), ...entries.slice(1)];
    expect((await take(catalogue('2026-06-11', flipped))).body).toMatchObject({
      added: 0,
      changed: 1,
    });
    expect(await discovery.events()).toMatchObject([
      {
        data: { part: 1, parts: 1, entries: [{ cveId: 'CVE-2026-00000', knownRansomware: true }] },
      },
    ]);

    const refusals = [
      [catalogue('2026-06-12', flipped.slice(1)), 409, 'catalogue-shrinks', 'CVE-2026-00000'],
      [catalogue('2026-06-12', flipped, 500), 422, 'malformed-catalogue', 'count'],
      [catalogue('2026-06-09', flipped), 409, 'catalogue-older', 'dateReleased'],
      [catalogue('2062-06-12', flipped), 409, 'catalogue-not-yet-valid', 'dateReleased'],
      [
        catalogue('2026-06-12', [...flipped, entry(501, { dueDate: 'soon' })]),
        ...([422, 'malformed-catalogue', 'vulnerabilities[501].dueDate'] as const),
      ],
    ] as const;
    for (const [document, status, code, detail] of refusals) {
      expect(await take(document)).toMatchObject({
        ...{ status, body: { code, detail: expect.stringContaining(detail) } },
      });
    }
    expect(await discovery.events()).toEqual([]);
    const { body } = await discovery.call('GET', '/v1/threat-signals');
    expect(field(body, 'data', 'items')).toMatchObject([
      { signal: 'kev', catalogVersion: '2026-06-11', count: 501 },
    ]);
  });

  it('is no other signal', async () => {
    const body = { signal: 'rumour', document: {} };
    expect(await discovery.call('POST', '/v1/threat-signals:import', { body })).toMatchObject({
      ...{ status: 400, body: { errors: [{ field: 'signal' }] } },
    });
  });
});

it.each([
  ['/v1/package-sources', null],
  ['/v1/device-groups', null],
  ['/v1/patches', { sourcePackage: null, superseded: null }],
  ['/v1/endpoints', { departments: null, department: null, package: null, version: null }],
])('%s goes on behind no cursor that it never gave', async (path, filter) => {
  const answer = await discovery.call('GET', `${path}?page_token=${pageToken(filter, '7')}`);
  expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-page-token' } });
});

describe('package sources', () => {
  const admit = async (of: Readonly<Record<string, unknown>>, as?: string) => {
    const { publicKey: keyring } = await newKey();
    const place = { uri: 'http://deb.test/debian', suite: 'stable', components: ['main'] };
    const body = { ...place, architectures: ['amd64'], keyring, ...of };
    return discovery.call('POST', '/v1/package-sources', {
      body,
      ...(as === undefined ? {} : { as }),
    });
  };

  it('are admitted once, wherever a slash is', async () => {
    await discovery.events();
    const admitted = await admit({ uri: 'http://deb.test/once/' });
    expect(admitted).toMatchObject({
      status: 201,
      body: {
        uri: 'http://deb.test/once',
        keyFingerprints: [expect.stringMatching(/^[0-9A-F]{40}$/)],
      },
    });
    expect(admitted.body).not.toHaveProperty('keyring');
    expect(await admit({ uri: 'http://deb.test/once' })).toMatchObject({
      ...{ status: 409, body: { code: 'source-already-admitted' } },
    });
    expect(await discovery.events()).toMatchObject([
      {
        type: 'org.patchtrail.discovery.SourceAdmitted.v1',
        data: { uri: 'http://deb.test/once', suite: 'stable', components: ['main'] },
      },
    ]);
    const { body } = await discovery.call('GET', '/v1/package-sources');
    expect(field(body, 'data', 'items')).toMatchObject([
      { uri: 'http://deb.test/once', releaseDigest: null, failure: null },
    ]);
  });

  it.each<[string, number, Readonly<Record<string, unknown>>]>([
    ['uri', 422, { uri: 'ftp://deb.test' }],
    ['suite', 422, { suite: './' }],
    ['components', 422, { components: ['main', 'main'] }],
    ['architectures', 422, { architectures: ['AMD 64'] }],
    ['architectures', 400, { architectures: [] }],
    ['keyring', 422, { keyring: 'no keys' }],
  ])('are refused for %s with %i', async (detail, status, of) => {
    expect(await admit({ uri: 'http://deb.test/refused', ...of })).toMatchObject({
      ...{ status, body: { detail: expect.stringContaining(detail) } },
    });
  });

  it('are admitted by engineers', async () => {
    expect(await admit({}, await discovery.token(['auditor']))).toMatchObject({ status: 403 });
  });

  it('that are not there cannot be synced', async () => {
    const path = `/v1/package-sources/${randomUUID()}`;
    expect(await discovery.call('POST', `${path}/syncs`)).toMatchObject({ status: 404 });
    expect(await discovery.call('GET', path)).toMatchObject({ status: 404 });
  });
});

describe('discovery', () => {
  it('serves the interface that is checked in', async () => {
    const file = new URL('../openapi.json', import.meta.url);
    const document = discovery.app.document('discovery');
    expect(await openApiDifference(file, document)).toBeNull();
  });

  it('reads its configuration, and names what is wrong with it', () => {
    expect(readDiscoveryConfig({})).toEqual({
      ...{ syncIntervalMs: 3_600_000, pollMs: 250, staleAfterMs: 259_200_000 },
    });
    for (const name of ['DISCOVERY_SYNC_INTERVAL_MS', 'DISCOVERY_STALE_AFTER_MS']) {
      expect(() => readDiscoveryConfig({ [name]: 'often' })).toThrow(new RegExp(name));
    }
  });
});
