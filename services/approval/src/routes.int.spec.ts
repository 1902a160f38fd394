import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openApiDifference, pageToken } from '@patchtrail/platform';
import { eventually } from '@patchtrail/testing';
import {
  type Answer,
  exampleAttributes,
  examplePatch,
  examplePlan,
  missingOn,
  objectIn,
  type RunningApproval,
  startApproval,
  untilRows,
} from './approval.suite.js';

const patch = examplePatch();
const policy = {
  name: 'Ours',
  requestTtlMs: 86_400_000,
  rules: [
    {
      name: 'three',
      when: "patches.exists(p, p.sourcePackage == 'bash')",
      stages: [{ name: 'owners', role: 'approver', quorum: 3 }],
      reason: 'The shell is everywhere.',
    },
    {
      name: 'rest',
      when: 'true',
      stages: [{ name: 'approvers', role: 'approver', quorum: 1 }],
      reason: 'The rest.',
    },
  ],
};
const digest = `sha256:${'00'.repeat(32)}`;
const decision = { verdict: 'approve', changeDigest: digest, remark: '' };

let approval: RunningApproval;
let templateId: string;
let policyId: string;
let requestId: string;

const post = (path: string, body: unknown, more: object = {}) =>
  approval.send('POST', path, { body, ...more });
const idIn = ({ body }: Answer, name: string) => String(body[name]);

beforeAll(async () => {
  approval = await startApproval();
  await approval.publish(missingOn(patch, exampleAttributes()).events);
  await untilRows(approval, 'decisions', 1);
  await untilRows(approval, 'missing_patches', 1);
  templateId = idIn(await post('/v1/plan-templates', examplePlan), 'templateId');
  policyId = idIn(await post('/v1/approval-policies', policy), 'policyId');
  const asked = { patchIds: [patch.patchId], scope: {}, planTemplateId: templateId, remark: '' };
  requestId = idIn(await post('/v1/approval-requests', asked), 'requestId');
});
afterAll(() => approval.close());

/** Every route, with a body that is in order. */
const routes = () =>
  [
    ['POST', '/v1/plan-templates', examplePlan, 'pat'],
    ['GET', '/v1/plan-templates', undefined, 'aud'],
    ['GET', `/v1/plan-templates/${templateId}`, undefined, 'aud'],
    ['POST', `/v1/plan-templates/${templateId}/revisions`, examplePlan, 'pat'],
    ['POST', '/v1/approval-policies', policy, 'pat'],
    ['GET', '/v1/approval-policies', undefined, 'aud'],
    ['GET', `/v1/approval-policies/${policyId}`, undefined, 'aud'],
    ['POST', `/v1/approval-policies/${policyId}/activation`, undefined, 'ana'],
    ['POST', '/v1/approval-requests', {}, 'pat'],
    ['GET', '/v1/approval-requests', undefined, 'aud'],
    ['GET', `/v1/approval-requests/${requestId}`, undefined, 'aud'],
    ['POST', `/v1/approval-requests/${requestId}/decisions`, decision, 'ana'],
    ['POST', `/v1/approval-requests/${requestId}/withdrawal`, { reason: 'x' }, 'pat'],
  ] as const;
const eventCount = async () => {
  const streams = [`planTemplate-${templateId}`, `approvalPolicy-${policyId}`];
  const all = [...streams, `approvalRequest-${requestId}`];
  const reads = await Promise.all(all.map((stream) => approval.eventStore.read(stream)));
  return reads.flat().length;
};

describe('every route', () => {
  it('is documented, and the document is the one checked in', async () => {
    const document = approval.app.document('approval');
    const known = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const uuid = /[0-9a-f]{8}-[0-9a-f-]{27}/;
    const asked = routes().map(([method, path]) => `${method} ${path.replace(uuid, '{id}')}`);
    // Of every service, and held to their promises where they are made.
    const own = known.filter((route) => !route.includes('/parked-messages'));
    expect(known).toHaveLength(own.length + 3);
    expect(own.sort()).toEqual(asked.sort());
    expect(await openApiDifference(new URL('../openapi.json', import.meta.url), document)).toBe(
      null,
    );
  });

  it('asks who is there', async () => {
    for (const [method, path, body] of routes()) {
      const nobody = await approval.send(method, path, { by: '', body, ifMatch: '*' });
      expect([path, nobody.status, nobody.body['code']]).toEqual([path, 401, 'unauthenticated']);
      const stranger = await approval.send(method, path, { by: 'eve', body, ifMatch: '*' });
      expect([path, stranger.status]).toEqual([path, 401]);
    }
  });

  it('that changes something is not for everyone', async () => {
    const forbidden = { pat: [], ana: [], aud: [] } as Record<string, string[]>;
    for (const [method, path, body] of routes()) {
      if (method === 'GET') continue;
      for (const by of ['pat', 'ana', 'aud']) {
        // Without a key a route that lets the caller in goes no further.
        const { status } = await approval.send(method, path, { by, body, key: '', ifMatch: '*' });
        if (status === 403) forbidden[by]?.push(path.split('/').at(-1) ?? '');
        else expect([path, by, status]).toEqual([path, by, 400]);
      }
    }
    expect(forbidden).toEqual({
      pat: [],
      ana: ['plan-templates', 'revisions', 'approval-policies', 'approval-requests'],
      aud: [
        ...['plan-templates', 'revisions', 'approval-policies', 'activation'],
        ...['approval-requests', 'withdrawal'],
      ],
    });
  });

  it('that changes something needs a key, and a transition the revision it knows', async () => {
    const before = await eventCount();
    for (const [method, path, body, by] of routes()) {
      if (method === 'GET') continue;
      const keyless = await approval.send(method, path, { by, body, key: '', ifMatch: '*' });
      expect([path, keyless.body['code']]).toEqual([path, 'idempotency-key-required']);
      if (path.split('/').length < 5) continue;
      const blind = await approval.send(method, path, { by, body });
      expect([path, blind.status]).toEqual([path, 428]);
      const odd = await approval.send(method, path, { by, body, ifMatch: '7' });
      expect([path, odd.status, odd.body['code']]).toEqual([path, 400, 'invalid-if-match']);
      const stale = await approval.send(method, path, { by, body, ifMatch: '"99"' });
      expect([path, stale.status]).toEqual([path, 412]);
    }
    expect(await eventCount()).toBe(before);
  });

  it('with an id takes a UUID that is there', async () => {
    for (const [method, path, body, by] of routes()) {
      if (path.split('/').length < 4) continue;
      const named = (id: string) => path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, id);
      for (const ifMatch of ['*', '"0"']) {
        const missing = await approval.send(method, named(randomUUID()), { by, body, ifMatch });
        expect([path, missing.status, missing.body['code']]).toEqual([path, 404, 'not-found']);
        expect([path, missing.etag]).toEqual([path, null]);
      }
      const odd = await approval.send(method, named('1'), { by, body, ifMatch: '*' });
      expect([path, odd.status, odd.body['errors']]).toMatchObject([path, 400, [{ field: 'id' }]]);
    }
  });

  it('that lists refuses what it does not know', async () => {
    const lists = ['/v1/plan-templates', '/v1/approval-policies', '/v1/approval-requests'] as const;
    for (const path of lists) {
      const refused = async (query: string) => {
        const { status, body } = await approval.send('GET', `${path}?${query}`);
        return [status, objectIn(body, 'errors', '0')['field']];
      };
      expect(await refused('page_size=-1')).toEqual([400, 'page_size']);
      expect(await refused('page_token=abc')).toEqual([400, 'page_token']);
      expect(await refused('sort=name')).toEqual([400, 'sort']);
      expect(await refused('as_of=2026-01-01T00:00:00Z')).toEqual([400, 'as_of']);
    }
    // Whoever knows how tokens are made may put anything into one.
    const requests = { status: null, patchId: null };
    for (const [path, filter, cursor] of [
      [lists[0], {}, 'x'],
      [lists[1], {}, 'x'],
      [lists[2], requests, 'x'],
      [lists[2], requests, '2026-11-21T09:00:00.000Z|x'],
    ] as const) {
      const forged = `${path}?page_token=${pageToken(filter, cursor)}`;
      const { status, body } = await approval.send('GET', forged);
      expect([forged, status, body['code']]).toEqual([forged, 400, 'invalid-page-token']);
    }
    const odd = await approval.send('GET', '/v1/approval-requests?status=approved');
    expect([odd.status, odd.body['errors']]).toMatchObject([400, [{ field: 'status' }]]);
  });

  it('that answers as of an instant refuses what is none', async () => {
    for (const [method, path] of routes()) {
      if (method !== 'GET' || path.split('/').length < 4) continue;
      const odd = await approval.send('GET', `${path}?as_of=yesterday`);
      expect([odd.status, odd.body['errors']]).toMatchObject([400, [{ field: 'as_of' }]]);
      const early = await approval.send('GET', `${path}?as_of=2001-01-01T00:00:00Z`);
      expect(early.status).toBe(404);
    }
  });
});

const [pilot, broad] = examplePlan.rings;
describe('a plan template is refused by field and rule', () => {
  it.each<[number, string, object]>([
    [400, 'name', { name: '' }],
    [400, 'rings', { rings: [] }],
    [400, 'rings[0].cap.value', { rings: [{ ...pilot, cap: { unit: 'endpoints', value: 0 } }] }],
    [400, 'rings[0].selector.tags', { rings: [{ ...pilot, selector: { tags: [] } }] }],
    [400, 'rings[0].extra', { rings: [{ ...pilot, extra: 1 }] }],
    [400, 'leaseMs', { leaseMs: '30000' }],
    [400, 'retry.attemptsMax', { retry: { attemptsMax: 11, backoffMs: 0 } }],
    [400, 'rollback', { rollback: 'never' }],
    [400, 'owner', { owner: 'pat' }],
    [422, 'rings[1].name', { rings: [pilot, pilot] }],
    [422, 'rings[0].cap.value', { rings: [{ ...pilot, cap: { unit: 'percent', value: 101 } }] }],
    [422, 'rings[0].selector', { rings: [broad, pilot] }],
    [
      422,
      'rings[0].selector.attributes.colour',
      { rings: [{ ...pilot, selector: { attributes: { colour: 'red' } } }] },
    ],
  ])('%i %s', async (status, field, changes) => {
    const before = await eventCount();
    const body = { ...examplePlan, ...changes };
    const path = `/v1/plan-templates/${templateId}/revisions`;
    for (const answer of [
      await post('/v1/plan-templates', body),
      await post(path, body, { ifMatch: '*' }),
    ]) {
      expect([answer.status, answer.body['errors']]).toMatchObject([status, [{ field }]]);
    }
    expect(await eventCount()).toBe(before);
  });
});

describe('a policy is refused by field and rule', () => {
  const [first, rest] = policy.rules;
  const withFirst = (changes: object) => ({ rules: [{ ...first, ...changes }, rest] });
  it.each<[number, string, object]>([
    [400, 'requestTtlMs', { requestTtlMs: 1 }],
    [400, 'rules', { rules: [] }],
    [400, 'rules[0].when', withFirst({ when: 'x'.repeat(2_001) })],
    [
      400,
      'rules[0].stages[0].quorum',
      withFirst({ stages: [{ name: 'a', role: 'approver', quorum: 0 }] }),
    ],
    [
      400,
      'rules[0].stages[0].role',
      withFirst({ stages: [{ name: 'a', role: 'king', quorum: 1 }] }),
    ],
    [422, 'rules[0].when', withFirst({ when: 'request.urgency > 3' })],
    [422, 'rules[0].when', withFirst({ when: 'request.category ==' })],
    [422, 'rules[0].when', withFirst({ when: 'scope.endpointCount' })],
    [422, 'rules[0].when', withFirst({ when: "plan.name.matches('(a+)+$')" })],
    [422, 'rules[1].name', withFirst({ name: 'rest' })],
    [422, 'rules[0].when', { rules: [first] }],
  ])('%i %s', async (status, field, changes) => {
    const answer = await post('/v1/approval-policies', { ...policy, ...changes });
    expect([answer.status, answer.body['errors']]).toMatchObject([status, [{ field }]]);
  });
});

describe('a decision is refused by field and rule', () => {
  it.each<[number, string, object]>([
    [400, 'verdict', { verdict: 'maybe' }],
    [400, 'changeDigest', { changeDigest: 'sha256:1' }],
    [400, 'remark', { remark: 'x'.repeat(4_001) }],
    [400, 'remark', { remark: 'a\u0000b' }],
    [400, 'by', { by: 'bo' }],
    [422, 'changeDigest', {}],
  ])('%i %s', async (status, field, changes) => {
    const before = await eventCount();
    const path = `/v1/approval-requests/${requestId}/decisions`;
    const answer = await post(path, { ...decision, ...changes }, { by: 'ana', ifMatch: '*' });
    expect([answer.status, answer.body['errors']]).toMatchObject([status, [{ field }]]);
    expect(await eventCount()).toBe(before);
  });
});

describe('a withdrawal', () => {
  it('needs a reason', async () => {
    const path = `/v1/approval-requests/${requestId}/withdrawal`;
    const answer = await post(path, { reason: '' }, { ifMatch: '*' });
    expect([answer.status, answer.body['errors']]).toMatchObject([400, [{ field: 'reason' }]]);
  });
});

describe('policies and plan templates', () => {
  it('a policy decides from its activation by a second person on', async () => {
    const path = `/v1/approval-policies/${policyId}`;
    const own = await post(`${path}/activation`, undefined, { ifMatch: '"0"' });
    expect([own.status, own.body['code']]).toEqual([403, 'self-approval']);
    const active = await post(`${path}/activation`, undefined, { by: 'ana', ifMatch: '"0"' });
    expect([active.status, active.etag, active.body]).toMatchObject([
      200,
      '"1"',
      { status: 'activated', proposedBy: 'pat', activatedBy: 'ana' },
    ]);
    const asked = { patchIds: [patch.patchId], scope: {}, planTemplateId: templateId, remark: '' };
    const { body } = await post('/v1/approval-requests', asked);
    expect(body).toMatchObject({ policy: { policyId, revision: 1, rule: 'three' } });
    const listed = await approval.send('GET', '/v1/approval-policies');
    expect(objectIn(listed.body, 'data')['items']).toMatchObject([{ policyId, active: true }]);
    const before = await approval.send('GET', path);
    expect(before.body).toMatchObject({ lagMs: 0, data: { status: 'activated', revision: 1 } });
  });

  it('the next request is decided by the policy activated just before', async () => {
    const asked = { patchIds: [patch.patchId], scope: {}, planTemplateId: templateId, remark: '' };
    for (let count = 0; count < 10; count += 1) {
      const next = idIn(await post('/v1/approval-policies', policy), 'policyId');
      await post(`/v1/approval-policies/${next}/activation`, undefined, {
        by: 'ana',
        ifMatch: '*',
      });
      const { body } = await post('/v1/approval-requests', asked);
      expect(objectIn(body, 'policy')['policyId']).toBe(next);
    }
  });

  it('no request is decided by a policy that another may have replaced', async () => {
    const asked = { patchIds: [patch.patchId], scope: {}, planTemplateId: templateId, remark: '' };
    const next = idIn(await post('/v1/approval-policies', policy), 'policyId');
    const path = `/v1/approval-policies/${next}`;
    await approval.db.transaction(async (tx) => {
      // Whoever writes the row that names the active policy has to wait.
      await tx.run('LOCK TABLE active_policy IN SHARE MODE');
      const options = { by: 'ana', ifMatch: '*' };
      const activated = await post(`${path}/activation`, undefined, options);
      expect(activated.status).toBe(200);
      const refused = await post('/v1/approval-requests', asked);
      expect([refused.status, refused.body['code']]).toEqual([503, 'unavailable']);
    });
    await eventually(async () => {
      const { status, body } = await post('/v1/approval-requests', asked);
      expect([status, body]).toMatchObject([201, { policy: { policyId: next } }]);
    });
  });

  it('a plan template is revised under its revision, and listed', async () => {
    const path = `/v1/plan-templates/${templateId}`;
    const bold = { ...examplePlan, name: 'Bold' };
    const key = randomUUID();
    const revised = await post(`${path}/revisions`, bold, { ifMatch: '"0"', key });
    expect([revised.status, revised.etag, revised.body]).toMatchObject([
      200,
      '"1"',
      { templateId, revision: 1, name: 'Bold', changedBy: 'pat' },
    ]);
    expect(await post(`${path}/revisions`, bold, { ifMatch: '"0"', key })).toEqual(revised);
    const read = await approval.send('GET', path);
    expect([read.etag, objectIn(read.body, 'data')]).toEqual(['"1"', revised.body]);
    await eventually(async () => {
      const { body } = await approval.send('GET', '/v1/plan-templates?page_size=500');
      expect(objectIn(body, 'data')['items']).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ templateId, name: 'Bold', rings: ['pilot', 'broad'] }),
        ]),
      );
    });
  });
});
