import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { APT_LIMITS, createAptArchive } from './adapters/feeds/apt-archive.js';
import {
  changelogText,
  type DebSpec,
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

const changelog = changelogText('hello', [
  { version: '1.2-1', text: 'Fix CVE-2026-0003.' },
  { version: '1.1-1', text: 'Fix CVE-2026-0002 and CVE-2026-0002.' },
  { version: '1.0-1', text: 'Fix CVE-2026-0001.' },
]);
const hello = (version: string): DebSpec => ({ name: 'hello', version, changelog });

let discovery: Discovery;
let repository: Repository;
let sourceId: string;
let used: unknown[];

beforeAll(async () => {
  repository = await openRepository();
});
afterAll(() => repository.remove());

beforeEach(async () => {
  discovery = await startDiscovery();
  const { uri, suite, keyring } = repository;
  used = [{ uri: `${uri}/`, suite, components: ['main'], keyFingerprints: [] }];
  const admitted = await discovery.call('POST', '/v1/package-sources', {
    body: { uri, suite, components: ['main'], architectures: ['amd64'], keyring },
  });
  sourceId = text(admitted.body, 'sourceId');
});
afterEach(() => discovery.stop());

const sync = () => discovery.call('POST', `/v1/package-sources/${sourceId}/syncs`);

async function report(
  endpoint: Readonly<{ endpointId: string; credential: string }>,
  body: ReturnType<typeof inventory>,
) {
  const path = `/v1/endpoints/${endpoint.endpointId}/inventory`;
  const answer = await discovery.call('PUT', path, { as: endpoint.credential, body });
  expect(answer).toMatchObject({ status: 200, body: { changed: true } });
}

async function patches(): Promise<unknown> {
  const { body } = await discovery.call('GET', '/v1/patches');
  return field(body, 'data', 'items');
}

describe('the changelog of a patch', () => {
  it('is taken from the sibling that small packages point to', async () => {
    const links = ['a', 'b', 'c', 'd', 'e'].map((name) => ({
      ...{ name, version: '1.2-1', source: 'hello', docLink: 'hello' },
    }));
    await repository.publish({ packages: [...links, hello('1.2-1')] });
    const endpoint = await enrol(discovery, 'web-1');
    await sync();
    await report(endpoint, inventory(1, [['hello', '1.1-1']], { sources: used }));
    await discovery.work();
    expect(await patches()).toMatchObject([
      { changelog: { status: 'verified', detail: expect.stringContaining('hello 1.2-1') } },
    ]);
  });

  it('that could not be read is said so, and names no CVE', async () => {
    await repository.publish({ packages: [{ name: 'hello', version: '1.2-1' }] });
    const endpoint = await enrol(discovery, 'web-1');
    await sync();
    await report(endpoint, inventory(1, [['hello', '1.0-1']], { sources: used }));
    await discovery.work();
    expect(await patches()).toMatchObject([
      { cves: [], changelog: { status: 'unavailable', detail: expect.stringContaining('hello') } },
    ]);
  });

  it.each([
    ['ends above the version that is replaced', '1.2-1', ['1.2-1', '1.1-1']],
    ['does not name the version that is offered', '1.3-1', ['1.2-1', '1.1-1', '1.0-1']],
  ])('do not pass for fully known where the changelog %s', async (_, version, uploads) => {
    const cut = changelogText(
      'hello',
      uploads.map((each) => ({ version: each, text: `Fix CVE-2026-00${each.charAt(2)}1.` })),
    );
    await repository.publish({ packages: [{ name: 'hello', version, changelog: cut }] });
    const endpoint = await enrol(discovery, 'web-1');
    await sync();
    await report(endpoint, inventory(1, [['hello', '1.0-1']], { sources: used }));
    await discovery.work();
    const detail = expect.stringContaining(`does not reach from 1.0-1 to ${version}`);
    expect(await patches()).toMatchObject([
      { cves: ['CVE-2026-0011', 'CVE-2026-0021'], changelog: { status: 'unavailable', detail } },
    ]);
  });

  it('that could not be fetched before makes a revision once it can be read', async () => {
    await repository.publish({ packages: [hello('1.2-1')] });
    const endpoint = await enrol(discovery, 'web-1');
    await sync();
    await report(endpoint, inventory(1, [['hello', '1.0-1']], { sources: used }));
    await discovery.work(createAptArchive({ ...APT_LIMITS, debBytesMax: 1 }));
    expect(await patches()).toMatchObject([{ revision: 1, changelog: { status: 'unavailable' } }]);
    expect(await sync()).toMatchObject({ body: { status: 'unchanged' } });
    await discovery.work();
    expect(await patches()).toMatchObject([
      { revision: 2, changelog: { status: 'verified' }, cves: ['CVE-2026-0002', 'CVE-2026-0003'] },
    ]);
  });
});
