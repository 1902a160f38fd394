import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger } from '@patchtrail/platform';
import { eventually } from '@patchtrail/testing';
import { SERVICE_NAMES } from '../services.js';
import { type FrontDoor, startFrontDoor } from './front-door.js';
import { startUpstream, type Upstream } from './upstream.suite.js';

/** Agents ask deployment, which has two replicas. */
const LEASES = '/v1/leases/1/outcome';

const log = createLogger('front-door-spec', 'silent');

describe('the front door', () => {
  let door: FrontDoor;
  let all: Upstream[];
  let replicas: readonly [Upstream, Upstream];
  beforeEach(async () => {
    all = await Promise.all([...SERVICE_NAMES, 'deployment' as const].map(startUpstream));
    const [one, two] = all.filter(({ service }) => service === 'deployment');
    if (one === undefined || two === undefined) throw new Error('There must be two.');
    replicas = [one, two];
    door = await startFrontDoor({
      find: () =>
        Promise.resolve(
          new Map(
            SERVICE_NAMES.map((name) => {
              return [name, all.flatMap(({ service, url }) => (service === name ? [url] : []))];
            }),
          ),
        ),
      ...{ log, host: '127.0.0.1', port: 0 },
    });
  });
  afterEach(async () => {
    await door.close();
    await Promise.all(all.map((upstream) => upstream.close()));
  });

  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(new URL(path, door.url), init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const problem = async (path: string, init: RequestInit = {}) => {
    const { status, headers, text } = await ask(path, init);
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(JSON.parse(text)).toMatchObject({ status });
    return [status, (JSON.parse(text) as { code: string }).code];
  };
  const counts = () => replicas.map(({ received }) => received().length);

  it('hands a request over as it is, to the service whose path it is', async () => {
    const path = '/v1/approval-requests/a%2Fb?page_size=5';
    const headers = { 'content-type': 'application/json', 'if-match': '"3"', authorization: 'x y' };
    await ask(path, { method: 'POST', headers, body: '{"a": 1}' });
    const asked = all.filter(({ received }) => received().length > 0);
    expect(asked.map(({ service }) => service)).toEqual(['approval']);
    expect(asked[0]?.received()).toMatchObject([
      { method: 'POST', url: path, headers, body: '{"a": 1}' },
    ]);
  });

  it('hands an answer over as it is', async () => {
    for (const replica of replicas) {
      replica.answerWith((_, response) => {
        response.writeHead(429, { 'retry-after': '7', etag: '"9"' }).end('later');
      });
    }
    const { status, headers, text } = await ask(LEASES, { method: 'POST', body: 'x' });
    expect([status, headers.get('retry-after'), headers.get('etag'), text]).toEqual([
      ...[429, '7', '"9"', 'later'],
    ]);
  });

  it.each(SERVICE_NAMES)('finds the document of %s', async (name) => {
    const { text } = await ask(`/openapi/${name}.json`);
    expect(all.find(({ url }) => url === text)?.service).toBe(name);
  });

  it('finds several services in one process', async () => {
    const [host] = replicas;
    const urls = new Map(SERVICE_NAMES.map((name) => [name, [host.url]] as const));
    const one = await startFrontDoor({
      ...{ find: () => Promise.resolve(urls), log, host: '127.0.0.1', port: 0 },
    });
    try {
      expect((await fetch(new URL('/health/ready', one.url))).status).toBe(200);
      const answers = SERVICE_NAMES.map((name) => fetch(`${one.url}/openapi/${name}.json`));
      for (const answer of answers) expect(await (await answer).text()).toBe(host.url);
    } finally {
      await one.close();
    }
  });

  it('takes turns between replicas that are ready', async () => {
    for (let count = 0; count < 10; count += 1) await ask(LEASES);
    expect(counts()).toEqual([5, 5]);
  });

  it('asks no replica that is not ready while another one is, and such a one else', async () => {
    replicas[0].setReady(false);
    await eventually(async () => {
      const { text } = await ask('/health/ready');
      expect(text).toContain('"service":"deployment","ok":false');
    });
    for (let count = 0; count < 6; count += 1) await ask(LEASES);
    expect(counts()).toEqual([0, 6]);

    replicas[1].setReady(false);
    await eventually(async () => expect((await ask('/health/ready')).status).toBe(503));
    expect((await ask(LEASES)).status).toBe(200);
  });

  it('goes on to the next replica where nobody listens, whatever is asked', async () => {
    await replicas[0].close();
    const answers = [await ask(LEASES, { method: 'POST' }), await ask(LEASES, { method: 'POST' })];
    expect(answers.map(({ status, text }) => [status, text])).toEqual([
      [200, replicas[1].url],
      [200, replicas[1].url],
    ]);
  });

  describe('with a replica that breaks off', () => {
    const breakOff = (upstream: Upstream) => {
      upstream.answerWith((_, response) => response.destroy());
    };

    it.each([
      ['a GET', {}],
      ['what has an Idempotency-Key', { method: 'POST', headers: { 'idempotency-key': 'k' } }],
    ])('asks the other one for %s', async (_, init) => {
      breakOff(replicas[0]);
      const answers = [await ask(LEASES, init), await ask(LEASES, init)];
      expect(answers.map(({ text }) => text)).toEqual([replicas[1].url, replicas[1].url]);
      expect(counts()).toEqual([1, 2]);
    });

    it('repeats nothing else, and says that it may have been done', async () => {
      for (const replica of replicas) breakOff(replica);
      expect(await problem(LEASES, { method: 'POST' })).toEqual([502, 'no-answer']);
      const [one = 0, two = 0] = counts();
      expect(one + two).toBe(1);
    });
  });

  it('says so where there is nobody to ask', async () => {
    for (const replica of replicas) await replica.close();
    expect(await problem(LEASES)).toEqual([503, 'unavailable']);
    await eventually(async () => {
      const { status, text } = await ask('/health/ready');
      expect(status).toBe(503);
      expect(text).toContain('does not answer');
    });
    expect((await ask('/health/live')).status).toBe(200);
    expect((await ask('/v1/patches')).status).toBe(200);
  });

  it.each(['/', '/v1', '/v1/nothing', '/v2/patches', '/openapi/console.json'])(
    'knows no service for %s',
    async (path) => {
      expect(await problem(path)).toEqual([404, 'unknown-route']);
    },
  );

  it('takes no URL that is none', async () => {
    expect(await problem('/v1/%zz')).toEqual([400, 'malformed-request']);
  });

  it('takes no body that is larger than any route takes', async () => {
    const body = Buffer.alloc(32 * 1_048_576 + 1);
    expect(await problem(LEASES, { method: 'POST', body })).toEqual([413, 'body-too-large']);
    expect(counts()).toEqual([0, 0]);
  });
});
