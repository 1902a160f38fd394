import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deployment, discovery } from '@patchtrail/contracts';
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
import { createReporting, reportingMigrations } from './index.js';

const DEPARTMENTS = ['Finance', 'Finance', 'Sales'];
const patchId = v4();
const rollouts = [v4(), v4()] as const;
const digest = `sha256:${'1'.repeat(64)}`;
const patches = [{ patchId, revision: 1, contentDigest: digest }];

let served: ServedService;

beforeAll(async () => {
  served = await serveService({
    name: 'reporting',
    migrations: reportingMigrations,
    create: createReporting,
  });
  const { PatchDiscovered } = discovery;
  const discovered = exampleMessage(PatchDiscovered, patchId, examplePatch(patchId));
  await served.publish([PatchDiscovered, discovered]);
  for (const department of DEPARTMENTS) await endpointMissing(department);
  for (const rolloutId of rollouts) await halted(rolloutId);
  await eventually(async () => {
    const [row] = await served.db.rows<{ count: number }>(
      'SELECT count(*)::int AS count FROM events',
    );
    expect(row?.count).toBe(1 + 2 * DEPARTMENTS.length + 2 * rollouts.length);
  });
});
afterAll(() => served.close());

async function endpointMissing(department: string): Promise<void> {
  const endpointId = v4();
  const attributes = exampleAttributes({ department });
  const state = { reason: '1 < 2', installedVersion: '1', packages: [] };
  const report = {
    ...{ endpointId, inventorySequence: 1, collectedAt: EXAMPLE_AT },
    changes: [{ patchId, from: null, to: 'MISSING' as const, ...state }],
  };
  const { EndpointEnrolled, ApplicabilityChanged } = discovery;
  const enrolled = { endpointId, attributes, credentialDigest: digest };
  await served.publish(
    [EndpointEnrolled, exampleMessage(EndpointEnrolled, endpointId, enrolled)],
    [ApplicabilityChanged, exampleMessage(ApplicabilityChanged, endpointId, report)],
  );
}

async function halted(rolloutId: string): Promise<void> {
  const { RolloutCreated, FailureTicketRaised } = deployment;
  const created = { rolloutId, requestId: v4(), changeDigest: digest, patches, rings: ['all'] };
  const failures = [{ endpointId: v4(), class: 'maintainer-script', detail: 'exit 3' }];
  const ticket = {
    ...{ rolloutId, ticketId: v4(), severity: 'critical' as const, summary: 'halted', failures },
  };
  await served.publish(
    [RolloutCreated, exampleMessage(RolloutCreated, rolloutId, created)],
    [FailureTicketRaised, exampleMessage(FailureTicketRaised, rolloutId, ticket)],
  );
}

const pages = (path: string, size: number) => allPages(served.show, path, size);

/** One page at a time holds the same as all at once: nothing twice, nothing left out. */
async function expectPaged(path: string, count: number): Promise<readonly unknown[]> {
  const all = await pages(path, 100);
  expect(all).toHaveLength(count);
  expect(await pages(path, 2)).toEqual(all);
  expect(await pages(path, 1)).toEqual(all);
  return all;
}

describe('the document', () => {
  it('is the one checked in', async () => {
    const file = new URL('../openapi.json', import.meta.url);
    expect(await openApiDifference(file, served.document)).toBeNull();
  });
});

describe('every screen', () => {
  const screens = [
    '/v1/compliance',
    `/v1/patch-trails/${patchId}`,
    `/v1/rollout-timelines/${rollouts[0]}`,
    '/v1/failure-tickets',
  ];

  it.each(screens)('%s is refused to strangers and for what cannot be asked', async (path) => {
    await assertScreenRefuses(served.show, path, { isList: true });
  });

  it.each(screens)('%s is shown to everybody with a role', async (path) => {
    for (const by of ['pat', 'ana', 'aud']) {
      expect(await served.show(path, by)).toMatchObject({ status: 200, body: { partial: [] } });
    }
  });

  it.each([
    ['/v1/compliance?patchId=bash', 'patchId', 'must be a UUID in lower case'],
    ['/v1/compliance?department=', 'department', 'must be text of 1 to 200 characters'],
    ['/v1/failure-tickets?rolloutId=bash', 'rolloutId', 'must be a UUID in lower case'],
  ])('%s cannot be asked', async (path, field, rule) => {
    const errors = [{ field, rule }];
    expect(await served.show(path)).toMatchObject({ status: 400, body: { errors } });
  });

  it.each([
    ['/v1/compliance', { departments: null, department: null, patchId: null }],
    [`/v1/patch-trails/${patchId}`, patchId],
    [`/v1/rollout-timelines/${rollouts[0]}`, rollouts[0]],
    ['/v1/failure-tickets', null],
  ])('%s goes on behind no cursor that it never gave', async (path, filter) => {
    const shown = await served.show(`${path}?page_token=${pageToken(filter, 'x')}`);
    expect(shown).toMatchObject({ status: 400, body: { code: 'invalid-page-token' } });
  });

  it('goes on only where the same was asked', async () => {
    const { body } = await served.show('/v1/compliance?page_size=1');
    const token = /"nextPageToken":"([^"]+)"/.exec(JSON.stringify(body))?.[1] ?? '';
    const other = await served.show(`/v1/compliance?department=Sales&page_token=${token}`);
    expect(other).toMatchObject({ status: 400, body: { code: 'invalid-page-token' } });
  });
});

describe('compliance', () => {
  const totals = (path: string) => served.show(path).then(({ body }) => body);

  it('is listed page by page, under the totals of all pages', async () => {
    await expectPaged('/v1/compliance', DEPARTMENTS.length);
    const of = { numerator: 0, denominator: 3, population: 3, byState: { MISSING: 3 } };
    expect(await totals('/v1/compliance?page_size=1')).toMatchObject({ data: { totals: of } });
  });

  it('is of the departments of who asks', async () => {
    const { body } = await served.show('/v1/compliance', 'fin');
    expect(body).toMatchObject({
      data: {
        items: [{ department: 'Finance' }, { department: 'Finance' }],
        totals: { numerator: 0, denominator: 2, population: 2 },
      },
    });
    expect(await served.show('/v1/compliance?department=Sales', 'fin')).toMatchObject({
      body: { data: { items: [], totals: { population: 0 } } },
    });
    const { body: first } = await served.show('/v1/compliance?page_size=1', 'fin');
    const token = /"nextPageToken":"([^"]+)"/.exec(JSON.stringify(first))?.[1] ?? '';
    const stolen = await served.show(`/v1/compliance?page_size=1&page_token=${token}`, 'aud');
    expect(stolen).toMatchObject({ status: 400, body: { code: 'invalid-page-token' } });
  });

  it('is found by department and patch', async () => {
    const rows = await expectPaged('/v1/compliance?department=Finance', 2);
    expect(rows).toMatchObject([{ department: 'Finance', patchId }, { department: 'Finance' }]);
    await expectPaged(`/v1/compliance?patchId=${patchId}&department=Sales`, 1);
    await expectPaged(`/v1/compliance?patchId=${v4()}`, 0);
    expect(await totals('/v1/compliance?department=Legal')).toMatchObject({
      data: { items: [], totals: { denominator: 0, population: 0, byState: {} } },
    });
  });
});

describe('what happened', () => {
  it('to a patch is listed page by page', async () => {
    const trail = await expectPaged(`/v1/patch-trails/${patchId}`, 1 + DEPARTMENTS.length + 4);
    expect(trail).toContainEqual(
      expect.objectContaining({ type: 'org.patchtrail.discovery.PatchDiscovered.v1' }),
    );
  });

  it('in a rollout is listed page by page', async () => {
    for (const rolloutId of rollouts) {
      const events = await expectPaged(`/v1/rollout-timelines/${rolloutId}`, 2);
      expect(events).toMatchObject([{ data: { rolloutId } }, { data: { rolloutId } }]);
    }
  });

  it('to what nobody has heard of is not found', async () => {
    for (const path of ['/v1/patch-trails', '/v1/rollout-timelines']) {
      expect(await served.show(`${path}/${v4()}`)).toMatchObject({
        status: 404,
        body: { code: 'not-found' },
      });
    }
  });
});

describe('failure tickets', () => {
  it('are listed page by page, all or those of a rollout', async () => {
    await expectPaged('/v1/failure-tickets', rollouts.length);
    const [rolloutId] = rollouts;
    const found = await expectPaged(`/v1/failure-tickets?rolloutId=${rolloutId}`, 1);
    expect(found).toMatchObject([{ ticket: { rolloutId, severity: 'critical' } }]);
    await expectPaged(`/v1/failure-tickets?rolloutId=${v4()}`, 0);
  });
});
