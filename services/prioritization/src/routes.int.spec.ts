import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { discovery } from '@patchtrail/contracts';
import { openApiDifference, pageToken } from '@patchtrail/platform';
import {
  allPages,
  assertScreenRefuses,
  EXAMPLE_AT,
  eventually,
  exampleAttributes,
  exampleMessage,
  examplePatch,
  type ServedService,
  serveService,
} from '@patchtrail/testing';
import { v4 } from 'uuid';
import { createPrioritization, prioritizationMigrations } from './index.js';

const CONTEXTS = ['public', 'controlled', 'none'] as const;
const [urgent, ordinary] = [v4(), v4()];

let served: ServedService;
let decisions: readonly unknown[];

beforeAll(async () => {
  served = await serveService({
    name: 'prioritization',
    migrations: prioritizationMigrations,
    create: createPrioritization,
  });
  const patches = [
    examplePatch(urgent),
    examplePatch(ordinary, { securityOrigin: false, cves: [] }),
  ];
  for (const patch of patches) {
    const message = exampleMessage(discovery.PatchDiscovered, patch.patchId, patch);
    await served.publish([discovery.PatchDiscovered, message]);
  }
  for (const exposure of CONTEXTS) await endpointMissing(exposure);
  decisions = await eventually(async () => {
    const found = await allPages(served.show, '/v1/decisions', 100);
    expect(found).toHaveLength(2 * CONTEXTS.length);
    return found;
  });
});
afterAll(() => served.close());

async function endpointMissing(exposure: (typeof CONTEXTS)[number]): Promise<void> {
  const endpointId = v4();
  const attributes = exampleAttributes({ exposure });
  const credentialDigest = `sha256:${'0'.repeat(64)}`;
  const enrolled = { endpointId, attributes, credentialDigest };
  const changes = [urgent, ordinary].map((patchId) => ({
    ...{ patchId, from: null, to: 'MISSING' as const, reason: '1 < 2' },
    ...{ installedVersion: '1', packages: [] },
  }));
  const report = { endpointId, inventorySequence: 1, collectedAt: EXAMPLE_AT, changes };
  const { EndpointEnrolled, ApplicabilityChanged } = discovery;
  await served.publish(
    [EndpointEnrolled, exampleMessage(EndpointEnrolled, endpointId, enrolled)],
    [ApplicabilityChanged, exampleMessage(ApplicabilityChanged, endpointId, report)],
  );
}

function isSubset(filter: Readonly<Record<string, unknown>>, item: unknown): boolean {
  if (typeof item !== 'object' || item === null) return false;
  return Object.entries(filter).every(([name, value]) => Reflect.get(item, name) === value);
}

describe('the document', () => {
  it('is the one checked in', async () => {
    const file = new URL('../openapi.json', import.meta.url);
    expect(await openApiDifference(file, served.document)).toBeNull();
  });
});

describe('decisions', () => {
  it('are listed page by page, each once', async () => {
    expect(await allPages(served.show, '/v1/decisions', 4)).toEqual(decisions);
    expect(await allPages(served.show, '/v1/decisions', 1)).toEqual(decisions);
  });

  it('are found by patch and by category', async () => {
    const of = (filter: Readonly<Record<string, unknown>>) =>
      decisions.filter((each) => isSubset(filter, each));
    const found = (query: string) => allPages(served.show, `/v1/decisions?${query}`, 2);
    expect(of({ patchId: urgent })).toHaveLength(CONTEXTS.length);
    expect(await found(`patchId=${urgent}`)).toEqual(of({ patchId: urgent }));
    const category = 'critical-security';
    expect(of({ category }).length).toBeGreaterThan(0);
    expect(await found(`category=${category}`)).toEqual(of({ category }));
    expect(await found(`patchId=${ordinary}&category=${category}`)).toEqual([]);
    expect(await found(`patchId=${v4()}`)).toEqual([]);
  });

  it('are shown one by one, to everybody with a role', async () => {
    const [decision] = decisions;
    const id = /"decisionId":"([^"]+)"/.exec(JSON.stringify(decision))?.[1] ?? '';
    for (const by of ['pat', 'ana', 'aud']) {
      const shown = await served.show(`/v1/decisions/${id}`, by);
      expect(shown).toMatchObject({ status: 200, body: { data: decision, partial: [] } });
    }
  });

  it('that do not exist are not found', async () => {
    const shown = await served.show(`/v1/decisions/${v4()}`);
    expect(shown).toMatchObject({ status: 404, body: { code: 'not-found' } });
  });

  it('are refused to strangers and for what cannot be asked', async () => {
    await assertScreenRefuses(served.show, '/v1/decisions', { isList: true });
    await assertScreenRefuses(served.show, `/v1/decisions/${v4()}`, { isList: false });
  });

  it.each([
    ['patchId=bash', 'patchId', 'must be a UUID in lower case'],
    ['category=urgent', 'category', /^must be one of critical-security, /],
  ])('cannot be asked for by %s', async (query, field, rule) => {
    expect(await served.show(`/v1/decisions?${query}`)).toMatchObject({
      status: 400,
      body: { errors: [{ field, rule: expect.stringMatching(rule) }] },
    });
  });

  it.each(['x', '9'.repeat(19)])('go on behind no number that is none: %s', async (after) => {
    const token = pageToken({ patchId: null, category: null }, after);
    const shown = await served.show(`/v1/decisions?page_token=${token}`);
    expect(shown).toMatchObject({ status: 400, body: { code: 'invalid-page-token' } });
  });

  it('go on only where the same was asked', async () => {
    const { body } = await served.show('/v1/decisions?page_size=1');
    const token = /"nextPageToken":"([^"]+)"/.exec(JSON.stringify(body))?.[1] ?? '';
    const other = await served.show(`/v1/decisions?patchId=${urgent}&page_token=${token}`);
    expect(other).toMatchObject({ status: 400, body: { code: 'invalid-page-token' } });
  });
});
