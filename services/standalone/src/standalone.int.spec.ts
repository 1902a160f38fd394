import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openDatabase, removePostgres } from '@patchtrail/postgres';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import {
  openAsAdmin,
  type Product,
  runProduct,
  serverProcesses,
  startProduct,
} from './product.suite.js';

const SERVICES = ['discovery', 'prioritization', 'approval', 'deployment', 'reporting'] as const;
const DATABASES = [...SERVICES, 'event_store', 'bus'].map((name) => `patchtrail_${name}`);
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/** Reached without a credential on purpose. */
const OPEN_OPERATIONS = [
  // The one-time token in the body is the check.
  'POST /v1/endpoints:enrol',
];
const OPEN_PATHS = [
  '/health/live',
  '/health/ready',
  ...SERVICES.map((name) => `/openapi/${name}.json`),
];

const STOP_MS_MAX = 30_000;
const ANY_ID = '00000000-0000-4000-8000-000000000000';

let workDir: string;
let dataDir: string;
let product: Product;
let endProduct: () => Promise<unknown> = () => Promise.resolve();
beforeAll(async () => {
  workDir = await mkdtemp(join(tmpdir(), 'patchtrail-standalone-'));
  dataDir = join(workDir, 'data');
  product = await startProduct({ dataDir });
  endProduct = () => product.script.kill();
}, 120_000);
afterAll(async () => {
  await endProduct();
  await removePostgres(join(dataDir, 'postgres'));
  await rm(workDir, { recursive: true, force: true });
});

const Document = Type.Object({
  openapi: Type.String(),
  paths: Type.Record(Type.String(), Type.Record(Type.String(), Type.Unknown())),
});

async function served(service: string) {
  const response = await fetch(`${product.url}/openapi/${service}.json`);
  expect(response.status).toBe(200);
  return Value.Decode(Document, await response.json());
}

/** `METHOD /path` of all five documents. */
async function operations(): Promise<readonly string[]> {
  const documents = await Promise.all(SERVICES.map(served));
  return documents.flatMap(({ paths }) =>
    Object.entries(paths).flatMap(([path, item]) =>
      METHODS.filter((method) => method in item).map((method) => `${method.toUpperCase()} ${path}`),
    ),
  );
}

async function statusOf(operation: string, headers: Readonly<Record<string, string>>) {
  const [method = '', template = ''] = operation.split(' ');
  const path = template.replaceAll(/\{[^}]+\}/g, ANY_ID);
  const hasBody = method !== 'GET';
  const response = await fetch(`${product.url}${path}`, {
    method,
    headers: { ...headers, ...(hasBody ? { 'content-type': 'application/json' } : {}) },
    ...(hasBody ? { body: '{}' } : {}),
  });
  const { status } = response;
  await response.text();
  return status;
}

/** What each operation answers, apart from the ones that answer as they must. */
async function otherThan(wanted: number, headers: Readonly<Record<string, string>>) {
  const checked = (await operations()).filter((one) => !OPEN_OPERATIONS.includes(one));
  expect(checked.length).toBeGreaterThan(30);
  const statuses = await Promise.all(
    checked.map(async (one) => ({ one, status: await statusOf(one, headers) })),
  );
  return statuses.filter(({ status }) => status !== wanted);
}

describe('the five services in one process', () => {
  it('answer 401 without a token, but for what is open on purpose', async () => {
    expect(await otherThan(401, {})).toEqual([]);
    for (const one of OPEN_OPERATIONS) {
      expect(await operations()).toContain(one);
      expect(await statusOf(one, {})).not.toBe(401);
    }
    for (const path of OPEN_PATHS) expect(await statusOf(`GET ${path}`, {})).toBe(200);
  });

  it('answer 401 to a token that somebody else has signed', async () => {
    const stranger = 'eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJwYXQifQ.c2lnbmF0dXJl';
    expect(await otherThan(401, { authorization: `Bearer ${stranger}` })).toEqual([]);
  });

  it('share no path', async () => {
    const documents = await Promise.all(SERVICES.map(served));
    const paths = documents.flatMap((document) => Object.keys(document.paths));
    expect(paths.length).toBeGreaterThan(20);
    expect(paths.filter((path, index) => paths.indexOf(path) !== index)).toEqual([]);
  });

  it.each(SERVICES)('serve the document of %s that is checked in', async (service) => {
    const file = new URL(`../../${service}/openapi.json`, import.meta.url);
    const checkedIn: unknown = JSON.parse(await readFile(file, 'utf8'));
    const response = await fetch(`${product.url}/openapi/${service}.json`);
    expect(await response.json()).toEqual(checkedIn);
  });

  it.each(DATABASES)('keep every other role out of %s', async (database) => {
    const admin = await openAsAdmin(dataDir, 'postgres');
    try {
      const reached: string[] = [];
      for (const role of DATABASES) {
        if (await canRead(admin, role, database)) reached.push(role);
      }
      expect(reached).toEqual([database]);
    } finally {
      await admin.close();
    }
  });

  it('are not started twice on one data folder', async () => {
    const second = runProduct({ dataDir });
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(second.errors()).toMatch(
      /Patchtrail cannot start: Another process uses the database in \S+ \(server process \d+\)/,
    );
    expect(await statusOf('GET /health/ready', {})).toBe(200);
  });
});

describe('a start that fails', () => {
  it('says why and takes the server down that it has started', async () => {
    const own = join(workDir, 'failing');
    const { port } = new URL(product.url);
    const script = runProduct({ dataDir: own, port });
    try {
      expect(await script.exited).toEqual({ code: 1, signal: null });
      expect(script.errors()).toMatch(new RegExp(`Patchtrail cannot start: .*EADDRINUSE.*${port}`));
      expect(await serverProcesses(own)).toEqual([]);
    } finally {
      await script.kill();
      await removePostgres(join(own, 'postgres'));
    }
  }, 60_000);
});

/** Connects as the role with a password that nobody else knows, and puts the real one back. */
async function canRead(
  admin: Awaited<ReturnType<typeof openAsAdmin>>,
  role: string,
  database: string,
): Promise<boolean> {
  const [known] = await admin.rows<{ secret: string }>(
    'SELECT rolpassword AS secret FROM pg_authid WHERE rolname = $1',
    [role],
  );
  await admin.run(`ALTER ROLE ${role} PASSWORD 'of-this-spec'`);
  try {
    const url = new URL(admin.url);
    Object.assign(url, { username: role, password: 'of-this-spec', pathname: `/${database}` });
    const db = await openDatabase({ url: url.href, applicationName: 'spec', poolMax: 1 });
    await db.rows('SELECT 1');
    await db.close();
    return true;
  } catch (error) {
    expect(String(error)).toMatch(/permission denied for database/);
    return false;
  } finally {
    await admin.run(`ALTER ROLE ${role} PASSWORD '${known?.secret ?? ''}'`);
  }
}

describe('a start on the PostgreSQL of the npm package', () => {
  it('works, and SIGTERM ends it with everything it has started', async () => {
    const own = join(workDir, 'embedded');
    const running = await startProduct({ dataDir: own, env: { PATCHTRAIL_POSTGRES: 'embedded' } });
    try {
      expect(running.script.lines()[0]).toMatch(/\(PostgreSQL: embedded \d+/);
      expect(await serverProcesses(own)).not.toEqual([]);
      const began = performance.now();
      expect(await running.stop()).toEqual({ code: 0, signal: null });
      expect(performance.now() - began).toBeLessThan(STOP_MS_MAX);
      expect(await serverProcesses(own)).toEqual([]);
    } finally {
      await running.script.kill();
      await removePostgres(join(own, 'postgres'));
    }
  }, 120_000);
});
