import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { APT_LIMITS, createAptArchive } from './adapters/feeds/apt-archive.js';
import {
  changelogText,
  hello,
  openRepository,
  type Repository,
} from './adapters/feeds/signed-repository.suite.js';
import {
  admit,
  type Discovery,
  enrol,
  inventory,
  patchesIn,
  report,
  startDiscovery,
} from './discovery-harness.suite.js';

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

describe('the changelog of a patch', () => {
  it('is taken from the sibling that small packages point to', async () => {
    const links = ['a', 'b', 'c', 'd', 'e'].map((name) => ({
      ...{ name, version: '1.2-1', source: 'hello', docLink: 'hello' },
    }));
    await repository.publish({ packages: [...links, hello('1.2-1')] });
    const endpoint = await enrol(discovery, 'web-1');
    await sync();
    await report(discovery, endpoint, inventory(1, [['hello', '1.1-1']], { sources: used }));
    await discovery.work();
    expect(await patchesIn(discovery)).toMatchObject([
      { changelog: { status: 'verified', detail: expect.stringContaining('hello 1.2-1') } },
    ]);
  });

  it('that could not be read is said so, and names no CVE', async () => {
    await repository.publish({ packages: [{ name: 'hello', version: '1.2-1' }] });
    const endpoint = await enrol(discovery, 'web-1');
    await sync();
    await report(discovery, endpoint, inventory(1, [['hello', '1.0-1']], { sources: used }));
    await discovery.work();
    expect(await patchesIn(discovery)).toMatchObject([
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
    await report(discovery, endpoint, inventory(1, [['hello', '1.0-1']], { sources: used }));
    await discovery.work();
    const detail = expect.stringContaining(`does not reach from 1.0-1 to ${version}`);
    expect(await patchesIn(discovery)).toMatchObject([
      { cves: ['CVE-2026-0011', 'CVE-2026-0021'], changelog: { status: 'unavailable', detail } },
    ]);
  });

  it('that could not be fetched before makes a revision once it can be read', async () => {
    await repository.publish({ packages: [hello('1.2-1')] });
    const endpoint = await enrol(discovery, 'web-1');
    await sync();
    await report(discovery, endpoint, inventory(1, [['hello', '1.0-1']], { sources: used }));
    await discovery.work(createAptArchive({ ...APT_LIMITS, debBytesMax: 1 }));
    expect(await patchesIn(discovery)).toMatchObject([
      { revision: 1, changelog: { status: 'unavailable' } },
    ]);
    expect(await sync()).toMatchObject({ body: { status: 'unchanged' } });
    await discovery.work();
    expect(await patchesIn(discovery)).toMatchObject([
      { revision: 2, changelog: { status: 'verified' }, cves: ['CVE-2026-0002', 'CVE-2026-0003'] },
    ]);
  });
});
