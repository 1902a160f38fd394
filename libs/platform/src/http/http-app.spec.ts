import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { pino } from 'pino';
import {
  as,
  assertProblem,
  at,
  ENDPOINT,
  key,
  OTHER,
  plan,
  serveThings,
  type Things,
} from './things.fixture.js';

let things: Things;
const logged = new PassThrough();

beforeAll(async () => {
  things = await serveThings(pino({}, logged));
});
afterAll(() => things.app.close());

const cap = { unit: 'percent', value: 3 };
const engineer = as('platform-engineer');

describe('paths', () => {
  it('reaches a route with a colon in its path', async () => {
    const answer = await things.call('POST', '/v1/things:enrol', key(), cap);
    expect(answer).toMatchObject({ status: 201, body: { value: 3, actor: 'anyone' } });
  });

  it('does not take the letters after the colon for a parameter', async () => {
    assertProblem(await things.call('POST', '/v1/thingsenrol', key(), cap), 404, 'unknown-route');
    assertProblem(await things.call('POST', '/v1/things:other', key(), cap), 404, 'unknown-route');
  });

  it('refuses an unknown route and an undecodable URL as problems', async () => {
    assertProblem(await things.call('GET', '/v1/nothing'), 404, 'unknown-route');
    assertProblem(await things.call('GET', '/v1/things/%zz'), 400, 'malformed-request');
  });

  it('refuses a path id that is no UUID', async () => {
    const answer = await things.call('GET', '/v1/things/7', as('auditor'));
    const errors = [{ field: 'id', rule: 'must be a UUID in lower case' }];
    assertProblem(answer, 400, 'invalid-request', { errors });
  });
});

describe('bodies', () => {
  const make = (body: unknown, headers = {}) =>
    things.call('POST', '/v1/things', { ...engineer, ...key(), ...headers }, body);

  it('arrive as sent, without fields that were not sent', async () => {
    const answer = await make(plan);
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ body: plan });
    expect(JSON.stringify(answer.body)).not.toContain('remark');
  });

  it('are refused with the path of each field and its rule', async () => {
    const rings = [{ name: 'pilot', cap: { unit: 'percent', value: 101 } }];
    assertProblem(await make({ name: 7, rings }), 400, 'invalid-request', {
      errors: [
        { field: 'name', rule: 'must be text of 1 to 200 characters' },
        { field: 'rings[0].cap.value', rule: 'must be a whole number from 1 to 100' },
      ],
    });
  });

  it('are refused for unknown fields, at any depth', async () => {
    const rings = [{ name: 'pilot', cap: { unit: 'percent', value: 1, extra: 1 } }];
    assertProblem(await make({ ...plan, rings, admin: true }), 400, 'invalid-request', {
      errors: [
        { field: 'admin', rule: 'is not a known field' },
        { field: 'rings[0].cap.extra', rule: 'is not a known field' },
      ],
    });
  });

  it.each([['[]'], ['null'], ['"text"'], ['7']])('must be objects, not %s', async (body) => {
    const errors = [{ field: '', rule: 'must be a JSON object' }];
    assertProblem(await make(body), 400, 'invalid-request', { errors });
  });

  it('must be there', async () => {
    assertProblem(await make(undefined), 400, 'invalid-request');
  });

  it('must be JSON; what is not is never quoted', async () => {
    const answer = await make('{"secret": "s3cr3t"');
    assertProblem(answer, 400, 'malformed-request');
    expect(JSON.stringify(answer.body)).not.toContain('s3cr3t');
  });

  it('must not reach for a prototype', async () => {
    assertProblem(await make('{"__proto__": {"name": "x"}}'), 400, 'malformed-request');
  });

  it('must not be nested without end', async () => {
    const headers = { ...as('approver'), 'if-match': '*' };
    const deep = `{"unit": ${'['.repeat(900)}${']'.repeat(900)}, "value": 1}`;
    const answer = await things.call('PATCH', `/v1/things/${ENDPOINT}`, headers, deep);
    assertProblem(answer, 400, 'invalid-request', {
      errors: [expect.objectContaining({ rule: 'is nested too deep' })],
    });
  });

  it('must be valid Unicode', async () => {
    assertProblem(await make('{"name": "\\ud800", "rings": []}'), 400, 'malformed-request');
  });

  it.each([['text/plain'], ['application/x-www-form-urlencoded'], ['text/xml']])(
    'must be application/json, not %s',
    async (type) => {
      assertProblem(await make('a=b', { 'content-type': type }), 415, 'unsupported-media-type');
    },
  );

  it('must not be larger than the limit of the route', async () => {
    const wide = JSON.stringify({ ...plan, remark: 'r'.repeat(200) }) + ' '.repeat(2_000);
    assertProblem(await make(wide), 413, 'body-too-large');
    const imported = await things.call('POST', '/v1/things:import', key(), wide);
    expect(imported.status).toBe(201);
    const wider = wide + ' '.repeat(1_000);
    assertProblem(
      await things.call('POST', '/v1/things:import', key(), wider),
      413,
      'body-too-large',
    );
  });
});

describe('queries', () => {
  const list = (query: string) => things.call('GET', `/v1/things${query}`, as('auditor'));

  it('are converted by their fields', async () => {
    const answer = await list('?page_size=7&open=true&tag=a');
    expect(answer).toMatchObject({ status: 200, body: { page_size: 7, open: true, tag: ['a'] } });
  });

  it('hold nothing that was not sent', async () => {
    expect((await list('')).body).toEqual({});
  });

  it.each([
    ['?page_size=-1', 'page_size', 'must be a whole number from 0 to 9007199254740991'],
    ['?page_size=many', 'page_size', 'must be a whole number from 0 to 9007199254740991'],
    ['?page_size=1&page_size=2', 'page_size', 'must be a whole number from 0 to 9007199254740991'],
    ['?open=maybe', 'open', 'must be true or false'],
    ['?status=open', 'status', 'is not a known field'],
    ['?as_of=2026-11-21T09:00:00Z', 'as_of', 'is not served by this route'],
  ])('%s is refused', async (query, field, rule) => {
    assertProblem(await list(query), 400, 'invalid-request', { errors: [{ field, rule }] });
  });
});

describe('headers and instants', () => {
  const get = (query: string) =>
    things.call('GET', `/v1/things/${ENDPOINT}${query}`, as('auditor'));

  it('answers an ETag', async () => {
    expect((await get('')).headers.get('etag')).toBe('"7"');
  });

  it('refuses a query where nothing is asked by one', async () => {
    const errors = [{ field: 'colour', rule: 'is not a known field' }];
    const path = `/v1/things/${ENDPOINT}?colour=red`;
    assertProblem(await things.call('GET', path, as('auditor')), 400, 'invalid-request', {
      errors,
    });
  });

  it('takes as_of in any offset, the future included', async () => {
    const answer = await get('?as_of=2126-11-21T10:00:00%2B01:00');
    expect(answer.body).toEqual({ id: ENDPOINT, asOf: '2126-11-21T09:00:00.000Z' });
  });

  it.each([['yesterday'], ['2026-02-30T00:00:00Z'], ['2026-11-21'], ['']])(
    'refuses as_of=%s',
    async (value) => {
      const errors = [{ field: 'as_of', rule: 'must be one RFC 3339 instant' }];
      assertProblem(await get(`?as_of=${value}`), 400, 'invalid-request', { errors });
    },
  );

  it('goes on in the trace of the caller', async () => {
    const traceId = 'a'.repeat(32);
    const answer = await things.call('GET', `/v1/things/${OTHER}`, {
      ...as('auditor'),
      traceparent: `00-${traceId}-${'b'.repeat(16)}-01`,
    });
    assertProblem(answer, 404, 'not-found', { traceId });
    expect(answer.headers.get('traceparent')).toMatch(
      new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`),
    );
  });
});

describe('commands', () => {
  const make = (headers: Record<string, string>, body: unknown = plan) =>
    things.call('POST', '/v1/things', { ...engineer, ...headers }, body);
  const commandOf = async (headers: Record<string, string>, body?: unknown): Promise<unknown> => {
    const { body: answer } = await make(headers, body);
    return at(answer, 'command');
  };

  it('say who, when and in which trace, and bind the key to the payload', async () => {
    expect(await commandOf(key())).toMatchObject({
      context: {
        actor: 'platform-engineer',
        at: '2026-11-21T09:00:00.000Z',
        traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
      },
      idempotency: {
        scope: 'person:platform-engineer POST /v1/things',
        key: 'k-1',
        payloadDigest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      },
    });
  });

  it('have one id per principal, route and key', async () => {
    const id = async (headers: Record<string, string>) =>
      at(await commandOf(headers), 'context', 'commandId');
    const first: unknown = await id(key('a'));
    expect(await id(key('a'))).toBe(first);
    expect(await id(key('b'))).not.toBe(first);
  });

  it('have one digest per payload, whatever the order of its fields', async () => {
    const digest = async (body: unknown) =>
      at(await commandOf(key(), body), 'idempotency', 'payloadDigest');
    const first: unknown = await digest(plan);
    expect(await digest({ rings: plan.rings, name: plan.name })).toBe(first);
    expect(await digest({ ...plan, name: 'q' })).not.toBe(first);
  });

  it('digest the path as well', async () => {
    const digest = async (id: string) => {
      const headers = { ...engineer, ...key() };
      const { body } = await things.call('POST', `/v1/things/${id}/sync`, headers);
      return at(body, 'idempotency', 'payloadDigest');
    };
    const first: unknown = await digest(ENDPOINT);
    expect(first).toMatch(/^sha256:/);
    expect(await digest(ENDPOINT)).toBe(first);
    expect(await digest(OTHER)).not.toBe(first);
  });

  it.each([[{}], [{ 'idempotency-key': '' }]])('need an Idempotency-Key: %j', async (headers) => {
    assertProblem(await make(headers), 400, 'idempotency-key-required');
  });

  it.each([['a b'], ['k'.repeat(201)], ['ключ'.normalize()]])(
    'refuse the Idempotency-Key %s',
    async (value) => {
      const headers = { 'idempotency-key': Buffer.from(value).toString('latin1') };
      assertProblem(await make(headers), 400, 'invalid-idempotency-key');
    },
  );

  it('need no key to PATCH', async () => {
    const headers = { ...as('approver'), 'if-match': '*' };
    const answer = await things.call('PATCH', `/v1/things/${ENDPOINT}`, headers, cap);
    expect(answer.body).toEqual({ body: cap, revision: '*', idempotency: null });
  });
});

describe('transitions', () => {
  const halt = (headers: Record<string, string>) =>
    things.call('POST', `/v1/things/${ENDPOINT}/halts`, {
      ...as('approver'),
      ...key(),
      ...headers,
    });

  it('take the revision that was read', async () => {
    expect((await halt({ 'if-match': '"12"' })).body).toEqual({ revision: 12, key: 'k-1' });
    expect((await halt({ 'if-match': '"0"' })).body).toEqual({ revision: 0, key: 'k-1' });
  });

  it('need If-Match', async () => {
    assertProblem(await halt({}), 428, 'precondition-required');
  });

  it.each([['12'], ['"x"'], ['W/"1"'], ['"1", "2"'], ['"-1"'], ['"01"'], ['"99999999999999999"']])(
    'refuse If-Match: %s',
    async (value) => {
      assertProblem(await halt({ 'if-match': value }), 400, 'invalid-if-match');
    },
  );
});

describe('errors', () => {
  const fail = (value: number) =>
    things.call('POST', '/v1/things/errors', { ...as('approver'), ...key() }, { ...cap, value });

  it('of the domain are conflicts unless the table says otherwise', async () => {
    assertProblem(await fail(1), 409, 'already-decided', { detail: 'The request is decided.' });
    assertProblem(await fail(2), 403, 'self-approval');
  });

  it('of the store are stale revisions', async () => {
    assertProblem(await fail(3), 412, 'stale-revision');
  });

  it('of haste say when to come back', async () => {
    const answer = await fail(5);
    assertProblem(answer, 503, 'busy');
    expect(answer.headers.get('retry-after')).toBe('1');
  });

  it('nobody expected say nothing, and are logged with their trace', async () => {
    const answer = await fail(4);
    assertProblem(answer, 500, 'unexpected');
    expect(JSON.stringify(answer.body)).not.toContain('hunter2');
    const line: unknown = JSON.parse(String(logged.read()).trim().split('\n').at(-1) ?? '');
    expect(line).toMatchObject({ traceId: at(answer.body, 'traceId'), msg: 'unexpected error' });
  });
});

describe('health', () => {
  it('is live, and ready when every service is', async () => {
    expect(await things.call('GET', '/health/live')).toMatchObject({ status: 200 });
    expect(await things.call('GET', '/health/ready')).toMatchObject({
      status: 200,
      body: { ok: true, services: [{ service: 'things', ok: true }] },
    });
  });

  it('is not ready while a service is not', async () => {
    things.setReady(false);
    expect(await things.call('GET', '/health/ready')).toMatchObject({
      status: 503,
      body: {
        ok: false,
        services: [{ service: 'things', checks: [{ name: 'store', ok: false }] }],
      },
    });
    things.setReady(true);
  });
});
