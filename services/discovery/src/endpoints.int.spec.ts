import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  attributes,
  type Discovery,
  enrol,
  enrolment,
  field,
  inventory,
  NOW,
  startDiscovery,
  text,
} from './discovery-harness.suite.js';

const digest = `sha256:${'a'.repeat(64)}`;
let discovery: Discovery;

beforeAll(async () => {
  discovery = await startDiscovery();
});
afterAll(() => discovery.stop());

const issue = (
  of: Readonly<Record<string, unknown>> = {},
  options: Readonly<{ as?: string; key?: string }> = {},
) =>
  discovery.call('POST', '/v1/enrolment-tokens', {
    ...options,
    body: { attributes, ttlSeconds: 600, ...of },
  });
const redeem = (body: unknown, key = randomUUID()) =>
  discovery.call('POST', '/v1/endpoints:enrol', { as: '', body, key });
const problem = (status: number, code: string, detail = '') => ({
  ...{ status, body: { code, detail: expect.stringContaining(detail) } },
});
const get = (path: string, as?: string) =>
  discovery.call('GET', path, as === undefined ? {} : { as });

describe('enrolment', () => {
  it('takes one endpoint per token, with the attributes of the token', async () => {
    await discovery.events();
    const issued = await issue();
    expect(issued).toMatchObject({
      ...{ status: 201, body: { expiresAt: '2026-11-21T09:10:00.000Z' } },
    });
    const body = enrolment(text(issued.body, 'token'), digest, 'web-1');
    const first = await redeem(body);
    expect(first.status).toBe(201);
    expect((await redeem(body)).body).toEqual(first.body);
    const other = { ...body, credentialDigest: `sha256:${'b'.repeat(64)}` };
    expect(await redeem(other)).toMatchObject(problem(409, 'enrolment-token-used', 'token'));
    const events = await discovery.events();
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      type: 'org.patchtrail.discovery.EndpointEnrolled.v1',
      partitionkey: field(first.body, 'endpointId'),
      data: {
        credentialDigest: digest,
        attributes: { ...attributes, hostname: 'web-1', timeZone: 'UTC', labels: {} },
      },
    });
  });

  it('shows a token once', async () => {
    const key = randomUUID();
    await issue({}, { key });
    expect(await issue({}, { key })).toMatchObject(problem(409, 'token-already-shown'));
    const rows = await discovery.db.rows<{ whole: string }>(
      'SELECT row_to_json(k)::text AS whole FROM idempotency_keys k',
    );
    expect(rows.filter(({ whole }) => whole.includes('pten_'))).toEqual([]);
  });

  it.each([
    ['unknown-enrolment-token', 403, `pten_${'x'.repeat(43)}`],
    ['invalid-request', 400, 'pten_short'],
  ])('refuses a token: %s', async (code, status, token) => {
    expect(await redeem(enrolment(token, digest, 'web'))).toMatchObject(
      problem(status, code, 'token'),
    );
  });

  it('refuses an expired token', async () => {
    const issued = await issue({ ttlSeconds: 1 });
    discovery.setNow('2026-11-21T09:00:01.000Z');
    try {
      const body = enrolment(text(issued.body, 'token'), digest, 'web');
      expect(await redeem(body)).toMatchObject(problem(403, 'enrolment-token-expired'));
    } finally {
      discovery.setNow(NOW);
    }
  });

  it('refuses a host name that is none, and leaves the token as it was', async () => {
    const issued = await issue();
    const token = text(issued.body, 'token');
    const bad = await redeem(enrolment(token, digest, 'web 1'));
    expect(bad).toMatchObject(problem(422, 'invalid-attributes', 'hostname'));
    expect(await redeem(enrolment(token, digest, 'web-1'))).toMatchObject({ status: 201 });
  });

  it.each([
    ['ttlSeconds', { ttlSeconds: 86_401 }],
    ['attributes.exposure', { attributes: { ...attributes, exposure: 'everywhere' } }],
    ['attributes.floor', { attributes: { ...attributes, floor: '3' } }],
  ])('refuses to issue a token with a bad %s', async (name, of) => {
    expect(await issue(of)).toMatchObject({
      ...{ status: 400, body: { errors: [{ field: name }] } },
    });
  });

  it('refuses to issue a token with an unknown time zone', async () => {
    const bad = await issue({ attributes: { ...attributes, timeZone: 'Mars/Olympus' } });
    expect(bad).toMatchObject(problem(422, 'invalid-attributes', 'timeZone'));
  });

  it('is prepared by engineers, each for their departments', async () => {
    const approver = await discovery.token(['approver']);
    expect(await issue({}, { as: approver })).toMatchObject(problem(403, 'forbidden'));
    const elsewhere = await discovery.token(['platform-engineer'], ['Sales']);
    expect(await issue({}, { as: elsewhere })).toMatchObject(problem(403, 'not-in-scope'));
  });
});

describe('inventories', () => {
  const put = (
    endpoint: Readonly<{ endpointId: string; credential: string }>,
    body: unknown,
    endpointId = endpoint.endpointId,
  ) =>
    discovery.call('PUT', `/v1/endpoints/${endpointId}/inventory`, {
      as: endpoint.credential,
      body,
    });

  it('are stored as differences, and recognised when nothing changed', async () => {
    const endpoint = await enrol(discovery, 'web-1');
    const version = () =>
      discovery.db.rows<{ name: string; xmin: string }>(
        `SELECT name, xmin::text AS xmin FROM installed_packages WHERE endpoint_id = $1 ORDER BY name`,
        [endpoint.endpointId],
      );
    await put(
      endpoint,
      inventory(1, [
        ['a', '1'],
        ['b', '1'],
        ['c', '1'],
      ]),
    );
    const before = await version();
    await discovery.events();
    expect(
      await put(
        endpoint,
        inventory(2, [
          ['c', '1'],
          ['b', '1'],
          ['a', '1'],
        ]),
      ),
    ).toMatchObject({
      ...{ status: 200, body: { sequence: 2, changed: false } },
    });
    expect(await version()).toEqual(before);
    expect(await discovery.events()).toEqual([]);
    expect(
      await put(
        endpoint,
        inventory(3, [
          ['a', '1'],
          ['b', '2'],
          ['d', '1'],
        ]),
      ),
    ).toMatchObject({
      body: { sequence: 3, changed: true },
    });
    const after = await version();
    expect(after.map(({ name }) => name)).toEqual(['a', 'b', 'd']);
    expect(after[0]).toEqual(before[0]);
    expect(await discovery.events('InventoryChanged')).toMatchObject([
      { data: { sequence: 3, packageCount: 3, rebootRequired: false } },
    ]);
  });

  it('never go back', async () => {
    const endpoint = await enrol(discovery, 'web-1');
    await put(endpoint, inventory(5, [['a', '2']]));
    const older = await put(endpoint, inventory(4, [['a', '1']]));
    expect(older).toMatchObject(problem(409, 'stale-inventory', 'sequence'));
    expect(await put(endpoint, inventory(5, [['a', '1']]))).toMatchObject(
      problem(409, 'stale-inventory'),
    );
    expect(await put(endpoint, inventory(5, [['a', '2']]))).toMatchObject({
      ...{ status: 200, body: { sequence: 5, changed: false } },
    });
    const { body } = await get(`/v1/endpoints/${endpoint.endpointId}`);
    expect(field(body, 'data', 'inventory')).toMatchObject({
      ...{ sequence: 5, packages: [{ name: 'a', version: '2' }] },
    });
  });

  it('of many at once leave the newest', async () => {
    const endpoint = await enrol(discovery, 'web-1');
    const reports = [3, 1, 4, 2, 5].map((sequence) =>
      put(endpoint, inventory(sequence, [['a', String(sequence)]])),
    );
    const statuses = (await Promise.all(reports)).map(({ status }) => status);
    expect(statuses.filter((status) => ![200, 409].includes(status))).toEqual([]);
    const { body } = await get(`/v1/endpoints/${endpoint.endpointId}`);
    expect(field(body, 'data', 'inventory', 'packages')).toMatchObject([{ version: '5' }]);
  });

  it('touch nobody else', async () => {
    const [one, two] = [await enrol(discovery, 'web-1'), await enrol(discovery, 'web-2')];
    await put(one, inventory(1, [['a', '1']]));
    const before = (await get(`/v1/endpoints/${one.endpointId}`)).body;
    expect(await put(two, inventory(9, []), one.endpointId)).toMatchObject(
      problem(403, 'forbidden'),
    );
    await put(two, inventory(9, [['a', '7']]));
    expect(field((await get(`/v1/endpoints/${one.endpointId}`)).body, 'data')).toEqual(
      field(before, 'data'),
    );
  });

  it('tell which endpoints have a version of a package', async () => {
    const [one, two] = [await enrol(discovery, 'web-1'), await enrol(discovery, 'web-2')];
    await put(one, inventory(1, [['needle', '1:2-3']]));
    await put(two, inventory(1, [['needle', '1:2-4']]));
    const { body } = await get('/v1/endpoints?package=needle&version=1%3A2-3');
    expect(field(body, 'data', 'items')).toMatchObject([{ endpointId: one.endpointId }]);
    expect(await get('/v1/endpoints?package=needle')).toMatchObject(
      problem(400, 'invalid-request', 'version'),
    );
  });

  it.each<[string, unknown, number, string]>([
    ['a negative sequence', inventory(-1, []), 400, 'sequence'],
    ['a package without a name', inventory(1, [['', '1']]), 400, 'packages[0].name'],
    ['a version that is none', inventory(1, [['a', '1 0']]), 422, 'packages[0].version'],
    [
      'a package twice',
      inventory(1, [
        ['a', '1'],
        ['a', '2'],
      ]),
      422,
      'packages[1].name',
    ],
    ['an unknown field', { ...inventory(1, []), colour: 'red' }, 400, 'colour'],
    ['a time that is none', { ...inventory(1, []), collectedAt: 'noon' }, 400, 'collectedAt'],
  ])('are refused with %s, and change nothing', async (_, body, status, detail) => {
    const endpoint = await enrol(discovery, 'web-1');
    await put(endpoint, inventory(0, [['kept', '1']]));
    expect(await put(endpoint, body)).toMatchObject({
      ...{ status, body: { detail: expect.stringContaining(detail) } },
    });
    const after = await get(`/v1/endpoints/${endpoint.endpointId}`);
    expect(field(after.body, 'data', 'inventory')).toMatchObject({
      ...{ sequence: 0, packages: [{ name: 'kept' }] },
    });
  });

  it('need the credential of an endpoint', async () => {
    const endpoint = await enrol(discovery, 'web-1');
    const forged = `${endpoint.credential.slice(0, -1)}${endpoint.credential.endsWith('A') ? 'B' : 'A'}`;
    expect(await put({ ...endpoint, credential: forged }, inventory(1, []))).toMatchObject(
      problem(401, 'unauthenticated'),
    );
    const stranger = {
      endpointId: randomUUID(),
      credential: `ptep_${randomUUID()}_${'x'.repeat(43)}`,
    };
    expect(await put(stranger, inventory(1, []))).toMatchObject(problem(401, 'unauthenticated'));
  });
});

describe('an endpoint', () => {
  it('changes its attributes at the revision that was read', async () => {
    const { endpointId } = await enrol(discovery, 'web-1');
    const path = `/v1/endpoints/${endpointId}`;
    await discovery.events();
    const body = { owner: 'ana', labels: { tier: '1' } };
    expect(await discovery.call('PATCH', path, { body })).toMatchObject(
      problem(428, 'precondition-required'),
    );
    const { etag } = await get(path);
    expect(etag).toBe('"1"');
    const changed = await discovery.call('PATCH', path, { body, ifMatch: '"1"' });
    expect(changed).toMatchObject({ status: 200, body: { revision: 2 }, etag: '"2"' });
    const stale = await discovery.call('PATCH', path, { body: { owner: 'bo' }, ifMatch: '"1"' });
    expect(stale).toMatchObject(problem(412, 'stale-revision'));
    const same = await discovery.call('PATCH', path, { body, ifMatch: '*' });
    expect(same).toMatchObject({ status: 200, body: { revision: 2 } });
    const bad = await discovery.call('PATCH', path, { body: { timeZone: 'x/y' }, ifMatch: '*' });
    expect(bad).toMatchObject(problem(422, 'invalid-attributes', 'timeZone'));
    expect(await discovery.events()).toMatchObject([
      {
        type: 'org.patchtrail.discovery.EndpointAttributesChanged.v1',
        data: { endpointId, attributes: { ...body, hostname: 'web-1' } },
      },
    ]);
  });

  it('is retired once, and its credential is void', async () => {
    const { endpointId, credential } = await enrol(discovery, 'web-1');
    await discovery.events();
    const retire = () =>
      discovery.call('POST', `/v1/endpoints/${endpointId}/retirement`, {
        ...{ body: { reason: 'sold' }, ifMatch: '*' },
      });
    expect(await retire()).toMatchObject({ status: 200, body: { lifecycle: 'retired' } });
    expect(await discovery.events()).toMatchObject([
      { type: 'org.patchtrail.discovery.EndpointRetired.v1', data: { endpointId, reason: 'sold' } },
    ]);
    expect(await retire()).toMatchObject(problem(409, 'endpoint-retired'));
    const path = `/v1/endpoints/${endpointId}`;
    const late = await discovery.call('PUT', `${path}/inventory`, {
      ...{ as: credential, body: inventory(1, []) },
    });
    expect(late).toMatchObject(problem(401, 'unauthenticated'));
    const change = await discovery.call('PATCH', path, { body: { owner: 'x' }, ifMatch: '*' });
    expect(change).toMatchObject(problem(409, 'endpoint-retired'));
  });

  it('is seen by the people of its department', async () => {
    const { endpointId } = await enrol(discovery, 'hr-1', { department: 'HR' });
    const [inside, outside] = [
      await discovery.token(['auditor'], ['HR']),
      await discovery.token(['auditor', 'platform-engineer'], ['Sales']),
    ];
    expect(await get(`/v1/endpoints/${endpointId}`, inside)).toMatchObject({ status: 200 });
    expect(await get(`/v1/endpoints/${endpointId}`, outside)).toMatchObject(
      problem(404, 'not-found'),
    );
    const list = await get('/v1/endpoints', outside);
    expect(field(list.body, 'data', 'items')).toEqual([]);
    const mine = await get('/v1/endpoints?page_size=1', inside);
    expect(field(mine.body, 'data')).toMatchObject({
      items: [{ endpointId }],
      nextPageToken: null,
    });
    const change = { as: outside, body: { owner: 'x' }, ifMatch: '*' };
    expect(await discovery.call('PATCH', `/v1/endpoints/${endpointId}`, change)).toMatchObject(
      problem(404, 'not-found'),
    );
  });

  it('is not found where there is none', async () => {
    expect(await get(`/v1/endpoints/${randomUUID()}`)).toMatchObject(problem(404, 'not-found'));
    const retire = { body: { reason: 'x' }, ifMatch: '*' };
    const path = `/v1/endpoints/${randomUUID()}/retirement`;
    expect(await discovery.call('POST', path, retire)).toMatchObject(problem(404, 'not-found'));
  });
});
