import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CloudEvent, digestOf, discovery, REQUESTS_TOPIC } from '@patchtrail/contracts';
import { eventually } from '@patchtrail/testing';
import {
  arriving,
  exampleAttributes,
  examplePatch,
  examplePlan,
  missingOn,
  objectIn,
  type RunningApproval,
  startApproval,
  untilRows,
} from './approval.suite.js';

const patches = {
  important: examplePatch(),
  exposed: examplePatch(),
  optional: examplePatch(),
  gone: examplePatch(),
  unprioritized: examplePatch(),
};
const exposed = exampleAttributes({ exposure: 'public', department: 'Operations' });
const inside = exampleAttributes();

let approval: RunningApproval;
let planTemplateId: string;
const published: CloudEvent[] = [];
const stopReading = new AbortController();
let reading: Promise<void>;

beforeAll(async () => {
  approval = await startApproval();
  reading = approval.bus.run({
    group: 'spec.reader',
    topics: [REQUESTS_TOPIC],
    signal: stopReading.signal,
    handle: ({ message }) => {
      published.push(message);
      return Promise.resolve();
    },
  });
  await approval.publish([
    ...missingOn(patches.important, inside).events,
    ...missingOn(patches.exposed, exposed, { dueAt: null }).events,
    ...missingOn(patches.optional, inside, { category: 'optional', dueAt: null }).events,
    ...missingOn(patches.gone, inside).events,
    ...missingOn(patches.unprioritized, inside).events.slice(0, 3),
    arriving(discovery.PatchWithdrawn, patches.gone.patchId, {
      patchId: patches.gone.patchId,
      reason: 'retracted',
    }),
  ]);
  await untilRows(approval, 'decisions', 4);
  await untilRows(approval, 'missing_patches', 5);
  await eventually(async () => {
    const sql = "SELECT 1 FROM patches WHERE status = 'withdrawn'";
    assert.equal((await approval.db.rows(sql)).length, 1);
  });
  const template = await approval.send('POST', '/v1/plan-templates', { body: examplePlan });
  assert.equal(template.status, 201, JSON.stringify(template.body));
  planTemplateId = String(template.body['templateId']);
});
afterAll(async () => {
  stopReading.abort();
  await reading;
  await approval.close();
});

const asking = (patchId: string, changes: object = {}) => ({
  patchIds: [patchId],
  scope: {},
  planTemplateId,
  remark: 'monthly',
  ...changes,
});
const open = (patchId: string, key = randomUUID(), by = 'pat') =>
  approval.send('POST', '/v1/approval-requests', { by, key, body: asking(patchId) });
const vote = (
  { body }: { body: Readonly<Record<string, unknown>> },
  by: string,
  { verdict = 'approve', ifMatch = '*', key = randomUUID() } = {},
) =>
  approval.send('POST', `/v1/approval-requests/${String(body['requestId'])}/decisions`, {
    ...{ by, key, ifMatch },
    body: { verdict, changeDigest: body['changeDigest'], remark: 'checked' },
  });

describe('a request', () => {
  it('for optional patches is granted by policy, with its reason', async () => {
    const { status, body } = await open(patches.optional.patchId);
    expect([status, body]).toMatchObject([
      201,
      {
        status: 'granted',
        stages: [],
        ringsAuthorized: 2,
        policy: { policyId: 'built-in', rule: 'automatic' },
      },
    ]);
    const elsewhere = await open(patches.optional.patchId, undefined, 'olga');
    expect([elsewhere.status, elsewhere.body['code']]).toEqual([403, 'not-in-scope']);
  });

  it('for one inside department is granted by one approver, and published by value', async () => {
    const opened = await open(patches.important.patchId);
    expect(opened).toMatchObject({
      status: 201,
      etag: '"1"',
      body: {
        status: 'open',
        category: 'important',
        dueAt: '2026-12-05T08:00:00Z',
        endpointCount: 1,
        departments: ['Finance'],
        stages: [{ name: 'approvers', quorum: 1, status: 'open', approvals: 0 }],
      },
    });
    expect(opened.body['changeDigest']).toBe(digestOf(opened.body['change']));
    const decided = await vote(opened, 'cy', { ifMatch: '"1"' });
    expect([decided.status, decided.etag, decided.body]).toMatchObject([
      200,
      '"5"',
      { status: 'granted', stages: [{ status: 'passed' }], votes: [{ by: 'cy' }] },
    ]);
    const requestId = String(opened.body['requestId']);
    const ours = () => published.filter(({ partitionkey }) => partitionkey === requestId);
    await eventually(() => {
      assert.equal(ours().length, 5);
    });
    expect(ours().map(({ type }) => type.split('.').at(-2))).toEqual([
      'ApprovalRequested',
      'DecisionRecorded',
      'StagePassed',
      'RingsAuthorized',
      'ApprovalGranted',
    ]);
    const stored = await approval.eventStore.read(`approvalRequest-${requestId}`);
    expect(ours().map(({ id }) => id)).toEqual(
      stored.filter(({ type }) => type !== 'TimerScheduled').map(({ id }) => id),
    );
    expect(ours()[3]?.data).toEqual({
      requestId,
      change: opened.body['change'],
      changeDigest: opened.body['changeDigest'],
      uptoRing: 1,
    });
    expect(ours()[3]).toMatchObject({ authid: 'cy', sequence: '00000000000000000004' });
  });

  it('for a public endpoint needs two approvers, and never the requester', async () => {
    const opened = await open(patches.exposed.patchId);
    expect(opened.body).toMatchObject({ policy: { rule: 'two-approvers' }, dueAt: null });
    expect(await vote(opened, 'pat')).toMatchObject({
      status: 403,
      body: { code: 'self-approval' },
    });
    expect(await vote(opened, 'cy')).toMatchObject({ status: 403, body: { code: 'not-in-scope' } });
    expect(await vote(opened, 'aud')).toMatchObject({
      status: 403,
      body: { code: 'not-eligible' },
    });
    const first = await vote(opened, 'ana');
    expect(first.body).toMatchObject({ status: 'open', stages: [{ approvals: 1 }] });
    expect(await vote(opened, 'ana')).toMatchObject({
      status: 409,
      body: { code: 'already-voted' },
    });
    expect(await vote(opened, 'bo', { ifMatch: '"1"' })).toMatchObject({
      status: 412,
      body: { code: 'stale-revision' },
    });
    expect(await vote(opened, 'bo')).toMatchObject({ status: 200, body: { status: 'granted' } });
    expect(await vote(opened, 'cy')).toMatchObject({
      status: 409,
      body: { code: 'already-decided' },
    });
  });

  it('is granted once when the last votes come at once', async () => {
    const opened = await open(patches.important.patchId);
    const answers = await Promise.all(['ana', 'bo', 'cy'].map((by) => vote(opened, by)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    const stream = `approvalRequest-${String(opened.body['requestId'])}`;
    const grants = (await approval.eventStore.read(stream)).filter(
      ({ type }) => type === 'ApprovalGranted',
    );
    expect(grants).toHaveLength(1);
  });

  it('answers a repetition as it did, even when the world has moved on', async () => {
    const key = randomUUID();
    const opened = await open(patches.important.patchId, key);
    const voteKey = randomUUID();
    const rejected = await vote(opened, 'ana', { verdict: 'reject', key: voteKey });
    expect(rejected.body['status']).toBe('rejected');
    expect(await open(patches.important.patchId, key)).toEqual(opened);
    expect(await vote(opened, 'ana', { verdict: 'reject', key: voteKey })).toEqual(rejected);
    expect(await open(patches.exposed.patchId, key)).toMatchObject({
      status: 422,
      body: { code: 'idempotency-key-reused' },
    });
  });

  it('can be read as of an instant', async () => {
    const opened = await open(patches.important.patchId);
    const path = `/v1/approval-requests/${String(opened.body['requestId'])}`;
    const before = await approval.send('GET', path);
    const asOf = objectIn(before.body)['asOf'];
    await vote(opened, 'ana');
    const after = await approval.send('GET', path);
    expect([before.etag, after.etag]).toEqual(['"1"', '"5"']);
    expect(after.body).toMatchObject({ lagMs: 0, partial: [], data: { status: 'granted' } });
    const then = await approval.send('GET', `${path}?as_of=${String(asOf)}`);
    expect(then).toMatchObject({
      etag: '"1"',
      body: { asOf, data: { status: 'open', votes: [] } },
    });
    const never = await approval.send('GET', `${path}?as_of=2001-01-01T00:00:00Z`);
    expect(never).toMatchObject({ status: 404, body: { code: 'not-found' } });
  });

  it('can be withdrawn by who opened it', async () => {
    const opened = await open(patches.important.patchId);
    const path = `/v1/approval-requests/${String(opened.body['requestId'])}/withdrawal`;
    const body = { reason: 'too early' };
    expect(await approval.send('POST', path, { by: 'ana', ifMatch: '*', body })).toMatchObject({
      status: 403,
      body: { code: 'not-eligible' },
    });
    expect(await approval.send('POST', path, { ifMatch: '"1"', body })).toMatchObject({
      status: 200,
      body: { status: 'withdrawn' },
    });
    expect(await vote(opened, 'ana')).toMatchObject({ body: { code: 'request-withdrawn' } });
  });

  it('is listed, newest first, page by page', async () => {
    const patch = examplePatch();
    await approval.publish(missingOn(patch, inside).events);
    await eventually(async () => {
      const sql = 'SELECT 1 FROM decisions WHERE patch_id = $1';
      expect(await approval.db.rows(sql, [patch.patchId])).toHaveLength(1);
    });
    const opened: unknown[] = [];
    for (const by of ['ana', '', 'cy']) {
      const request = await open(patch.patchId);
      if (by !== '') await vote(request, by);
      opened.unshift(request.body['requestId']);
    }
    const path = `/v1/approval-requests?page_size=2&patchId=${patch.patchId}`;
    await eventually(async () => {
      const ids: unknown[] = [];
      for (let token: string | null = ''; token !== null;) {
        const next: string =
          token === '' ? path : `${path}&page_token=${encodeURIComponent(token)}`;
        const { body } = await approval.send('GET', next);
        const { items, nextPageToken } = objectIn(body, 'data');
        assert.ok(Array.isArray(items) && items.length <= 2);
        ids.push(...items.map((item) => objectIn(item)['requestId']));
        token = typeof nextPageToken === 'string' ? nextPageToken : null;
      }
      expect(ids).toEqual(opened);
    });
    await eventually(async () => {
      const granted = await approval.send('GET', `${path}&status=granted`);
      expect(objectIn(granted.body, 'data')['items']).toMatchObject([
        { requestId: opened[0], status: 'granted', rule: 'one-approver', stagesPassed: 1 },
        { requestId: opened[2], revision: 5, stageCount: 1 },
      ]);
    });
  });
});

describe('opening a request changes nothing when it is refused', () => {
  it.each<[string, number, string, () => object]>([
    ['no patches', 400, 'patchIds', () => ({ patchIds: [] })],
    ['a patch id that is none', 400, 'patchIds[0]', () => ({ patchIds: ['bash'] })],
    ['an unknown patch', 422, 'patchIds[0]', () => ({ patchIds: [randomUUID()] })],
    [
      'a patch twice',
      422,
      'patchIds[1]',
      () => ({ patchIds: [patches.exposed.patchId, patches.exposed.patchId] }),
    ],
    ['an unknown field', 400, 'urgent', () => ({ urgent: true })],
    ['a missing field', 400, 'remark', () => ({ remark: undefined })],
    ['an unknown plan', 422, 'planTemplateId', () => ({ planTemplateId: randomUUID() })],
    ['an unknown part of a scope', 400, 'scope.tags', () => ({ scope: { tags: {} } })],
    [
      'an unknown attribute',
      422,
      'scope.attributes.colour',
      () => ({ scope: { attributes: { colour: 'red' } } }),
    ],
    ['an unknown group', 422, 'scope.groupIds[0]', () => ({ scope: { groupIds: [randomUUID()] } })],
  ])('for %s', async (_, status, field, changes) => {
    const before = await approval.eventStore.head();
    const body = asking(patches.important.patchId, changes());
    const answer = await approval.send('POST', '/v1/approval-requests', { body });
    expect(answer).toMatchObject({ status, body: { errors: [{ field }] } });
    expect(await approval.eventStore.head()).toBe(before);
  });

  it.each<[string, string, () => object]>([
    ['patch-withdrawn', 'a withdrawn patch', () => ({ patchIds: [patches.gone.patchId] })],
    [
      'not-prioritized',
      'a patch without a decision',
      () => ({ patchIds: [patches.unprioritized.patchId] }),
    ],
    [
      'nothing-to-patch',
      'a scope that misses nothing',
      () => ({ scope: { attributes: { department: 'Legal' } } }),
    ],
  ])('with %s for %s', async (code, _, changes) => {
    const before = await approval.eventStore.head();
    const body = asking(patches.important.patchId, changes());
    const answer = await approval.send('POST', '/v1/approval-requests', { body });
    expect(answer).toMatchObject({ status: 409, body: { code } });
    expect(await approval.eventStore.head()).toBe(before);
  });
});

describe('the service', () => {
  it('is ready while it reads and publishes', async () => {
    expect(await approval.service.ready()).toEqual({
      service: 'approval',
      ok: true,
      checks: [
        { name: 'read-models', ok: true },
        { name: 'publishing', ok: true },
        { name: 'publishing-lag', ok: true, detail: '0 waiting, the oldest for 0 ms' },
        { name: 'parked-messages', ok: true, detail: '0' },
        { name: 'parked-events', ok: true, detail: '0' },
      ],
    });
  });

  it('keeps what others published once, however often it comes, and never goes back', async () => {
    const patch = examplePatch({ revision: 2 });
    const { endpointId, events } = missingOn(patch, inside);
    const older = { ...patch, revision: 1, contentDigest: digestOf('older') };
    const state = { reason: 'now newer', installedVersion: '5.2', packages: [] };
    const installed = {
      ...{ endpointId, inventorySequence: 2, collectedAt: '2026-11-21T08:05:00Z' },
      changes: [
        { patchId: patch.patchId, from: 'MISSING' as const, to: 'INSTALLED' as const, ...state },
      ],
    };
    await approval.publish([
      ...events,
      ...events,
      arriving(discovery.PatchRevised, patch.patchId, older),
      arriving(discovery.PatchWithdrawn, patch.patchId, {
        patchId: patch.patchId,
        reason: 'retracted',
      }),
      arriving(discovery.ApplicabilityChanged, endpointId, installed),
      arriving(discovery.EndpointRetired, endpointId, { endpointId, reason: 'scrapped' }),
    ]);
    await eventually(async () => {
      const sql = 'SELECT retired FROM endpoints WHERE endpoint_id = $1';
      expect(await approval.db.rows(sql, [endpointId])).toEqual([{ retired: true }]);
      const known = 'SELECT revision, status FROM patches WHERE patch_id = $1';
      expect(await approval.db.rows(known, [patch.patchId])).toEqual([
        { revision: 2, status: 'withdrawn' },
      ]);
    });
    const missing = 'SELECT 1 FROM missing_patches WHERE endpoint_id = $1';
    expect(await approval.db.rows(missing, [endpointId])).toEqual([]);
    const refused = await approval.db.rows('SELECT 1 FROM refused_messages');
    expect(refused).toEqual([]);
  });
});

describe('time', () => {
  it('ends a request that nobody decided', async () => {
    const opened = await open(patches.exposed.patchId);
    await vote(opened, 'ana');
    approval.passTime(14 * 86_400_000);
    expect(await vote(opened, 'bo')).toMatchObject({
      status: 409,
      body: { code: 'request-expired' },
    });
    const path = `/v1/approval-requests/${String(opened.body['requestId'])}`;
    await eventually(async () => {
      const { body } = await approval.send('GET', path);
      assert.equal(objectIn(body, 'data')['status'], 'expired');
      const told = published.filter(({ partitionkey }) => path.endsWith(partitionkey));
      assert.match(told.at(-1)?.type ?? '', /RequestExpired/);
    });
  });
});
