import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  endpointSecretDigest,
  formatEndpointCredential,
  newEndpointSecret,
  type Person,
  type Role,
  TokenRefused,
} from '@patchtrail/auth';
import {
  approval,
  type CloudEvent,
  digestOf,
  discovery,
  ENDPOINTS_TOPIC,
  OUTCOMES_TOPIC,
  PATCHES_TOPIC,
  type Plan,
  type Reach,
  REQUESTS_TOPIC,
  ROLLOUTS_TOPIC,
  type Selector,
} from '@patchtrail/contracts';
import { eventStoreMigrations, openPostgresEventStore } from '@patchtrail/event-store';
import { busMigrations, openPostgresBus } from '@patchtrail/messaging';
import { createHttpApp, createLogger } from '@patchtrail/platform';
import { type Migration, openDatabase } from '@patchtrail/postgres';
import {
  eventually,
  exampleAttributes,
  exampleMessage,
  examplePatch,
  freshDatabase,
} from '@patchtrail/testing';
import { createDeployment, deploymentMigrations, DeploymentModule } from './index.js';

const PEOPLE: Readonly<Record<string, readonly Role[]>> = {
  pat: ['platform-engineer'],
  ana: ['approver'],
  aud: ['auditor'],
};

function verifyToken(token: string): Promise<Person> {
  const roles = PEOPLE[token];
  if (roles === undefined) return Promise.reject(new TokenRefused('token', 'is not known'));
  return Promise.resolve({ kind: 'person', id: token, roles, departments: ['*'] });
}

export type Answer = Readonly<{ status: number; etag: string | null; body: unknown }>;
type Sent = Readonly<{ by?: string; key?: string; ifMatch?: string; body?: unknown }>;

export type Urls = Readonly<{ own: string; bus: string; store: string }>;

/** The three databases of a deployment service, migrated; they outlive a service that is killed. */
export async function freshDatabases() {
  const [own, bus, store] = await Promise.all([
    freshDatabase('deployment'),
    freshDatabase('bus'),
    freshDatabase('events'),
  ]);
  const migrate = async (url: string, migrations: readonly Migration[]) =>
    (await openDatabase({ url, applicationName: 'spec', migrations })).close();
  await migrate(own.url, deploymentMigrations);
  await migrate(bus.url, busMigrations);
  await migrate(store.url, eventStoreMigrations);
  const urls: Urls = { own: own.url, bus: bus.url, store: store.url };
  const drop = async () => {
    await Promise.all([own.drop(), bus.drop(), store.drop()]);
  };
  return { urls, drop };
}

/** The service over HTTP on its databases, with a clock that can be set forward. */
export async function startDeployment(
  urls: Urls,
  /** Its background work stays with another process. */
  { servesOnly = false }: { servesOnly?: boolean } = {},
) {
  const log = createLogger('deployment-spec', 'silent');
  const db = await openDatabase({ url: urls.own, applicationName: 'deployment' });
  const bus = await openPostgresBus({ url: urls.bus });
  const eventStore = await openPostgresEventStore({ url: urls.store });
  let aheadMs = 0;
  const now = () => new Date(Date.now() + aheadMs);
  const service = await createDeployment({ db, bus, eventStore, verifyToken, log, now });
  const docs = [{ name: 'deployment', title: 'Patchtrail deployment', module: DeploymentModule }];
  const app = await createHttpApp({
    ...{ modules: [service.module], docs, log, now },
    checkAnswers: true,
  });
  if (!servesOnly) await service.start();
  const url = await app.listen(0, '127.0.0.1');
  return {
    ...{ db, bus, eventStore, service, app },
    send: (method: string, path: string, sent: Sent = {}) => send(url, method, path, sent),
    passTime: (ms: number) => {
      aheadMs += ms;
    },
    close: async () => {
      await app.close();
      await service.stop();
      await Promise.all([bus.close(), eventStore.close(), db.close()]);
    },
  };
}
export type RunningDeployment = Awaited<ReturnType<typeof startDeployment>>;

async function send(url: string, method: string, path: string, sent: Sent): Promise<Answer> {
  const { by = 'pat', key = randomUUID(), ifMatch, body } = sent;
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(by === '' ? {} : { authorization: `Bearer ${by}` }),
      ...(method === 'POST' && key !== '' ? { 'idempotency-key': key } : {}),
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const parsed: unknown = text === '' ? null : JSON.parse(text);
  return { status: response.status, etag: response.headers.get('etag'), body: parsed };
}

/** What is found by names inside an answer. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inside, name) =>
      typeof inside === 'object' && inside !== null ? Reflect.get(inside, name) : undefined,
    value,
  );
}

/** An endpoint that has enrolled and misses a patch. */
export type Enrolled = Readonly<{ endpointId: string; credential: string; messages: CloudEvent[] }>;

/** `batch` is a label to scope by. */
export function enrolled(ring: string, patchId: string, batch = ''): Enrolled {
  const endpointId = randomUUID();
  const secret = newEndpointSecret();
  const credentialDigest = endpointSecretDigest(secret);
  const attributes = exampleAttributes({ labels: { ring, batch } });
  const change = {
    ...{ patchId, from: null, to: 'MISSING' as const, reason: 'older' },
    ...{ installedVersion: '1', packages: ['zlib1g'] },
  };
  const report = { endpointId, inventorySequence: 1, collectedAt: '2026-11-21T08:00:00Z' };
  return {
    endpointId,
    credential: formatEndpointCredential(endpointId, secret),
    messages: [
      exampleMessage(discovery.EndpointEnrolled, endpointId, {
        ...{ endpointId, attributes, credentialDigest },
      }),
      exampleMessage(discovery.ApplicabilityChanged, endpointId, { ...report, changes: [change] }),
    ],
  };
}

export const PATCH = examplePatch('6f1c2b3a-0000-4000-8000-0000000000a1');

export async function publishFleet(
  { bus, db }: RunningDeployment,
  endpoints: readonly Enrolled[],
): Promise<void> {
  const discovered = exampleMessage(discovery.PatchDiscovered, PATCH.patchId, PATCH);
  await bus.publish(PATCHES_TOPIC, [discovered]);
  for (const { messages } of endpoints) await bus.publish(ENDPOINTS_TOPIC, messages);
  await eventually(async () => {
    const [row] = await db.rows<{ count: number }>(
      'SELECT count(*)::int AS count FROM needed_patches WHERE endpoint_id = ANY($1::uuid[])',
      [endpoints.map(({ endpointId }) => endpointId)],
    );
    assert.equal(row?.count, endpoints.length);
  });
}

/** The approval's message, and the rollout that follows from it. */
export function authorizing(
  plan: Plan,
  scope: Selector,
  { uptoRing = plan.rings.length - 1, reach }: { uptoRing?: number; reach?: Reach } = {},
) {
  const { patchId, revision, contentDigest } = PATCH;
  const limit = reach === undefined ? {} : { reach };
  const change = { patches: [{ patchId, revision, contentDigest }], scope, plan, ...limit };
  const requestId = randomUUID();
  const data = { requestId, change, changeDigest: digestOf(change), uptoRing };
  return { requestId, message: exampleMessage(approval.RingsAuthorized, requestId, data), data };
}

export async function rolloutOf(
  { bus, send: ask }: RunningDeployment,
  { requestId, message }: { requestId: string; message: CloudEvent },
): Promise<string> {
  await bus.publish(REQUESTS_TOPIC, [message]);
  return eventually(async () => {
    const { body } = await ask('GET', `/v1/rollouts?requestId=${requestId}`);
    const rolloutId = at(body, 'data', 'items', 0, 'rolloutId');
    assert.ok(typeof rolloutId === 'string');
    return rolloutId;
  });
}

export async function viewOf({ send: ask }: RunningDeployment, rolloutId: string, query = '') {
  const answer = await ask('GET', `/v1/rollouts/${rolloutId}${query}`);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return at(answer.body, 'data');
}

export async function untilStatus(
  deployment: RunningDeployment,
  rolloutId: string,
  status: string,
): Promise<unknown> {
  return eventually(async () => {
    const view = await viewOf(deployment, rolloutId);
    assert.equal(at(view, 'status'), status, JSON.stringify(at(view, 'rings')));
    return view;
  });
}

/** What one agent does with its credential. */
export function agentOf({ send: ask }: RunningDeployment, { endpointId, credential }: Enrolled) {
  const by = credential;
  const poll = (busyWith: string | null = null) =>
    ask('PUT', `/v1/agents/${endpointId}/lease`, { by, body: { busyWith } });
  const confirm = (attemptId: string, epoch: number) =>
    ask('PUT', `/v1/leases/${attemptId}/confirmation`, { by, body: { epoch } });
  const report = (attemptId: string, epoch: number, change: object = {}) =>
    ask('PUT', `/v1/leases/${attemptId}/outcome`, {
      by,
      body: {
        ...{ epoch, outcome: 'verified', class: '', transient: false, detail: '' },
        versions: [{ package: 'zlib1g', architecture: 'amd64', before: '1', after: '2' }],
        deviceTime: '2026-11-21T09:00:00.000Z',
        ...change,
      },
    });
  const lease = (): Promise<Lease> =>
    eventually(async () => {
      const { status, body } = await poll();
      assert.equal(status, 200, 'no lease is offered');
      return leaseIn(body);
    });
  return { endpointId, poll, confirm, report, lease };
}
export type Agent = ReturnType<typeof agentOf>;
export type Lease = Readonly<{ attemptId: string; epoch: number; kind: string }>;

function leaseIn(body: unknown): Lease {
  const [attemptId, epoch, kind] = [at(body, 'attemptId'), at(body, 'epoch'), at(body, 'kind')];
  assert.ok(typeof attemptId === 'string' && typeof epoch === 'number' && typeof kind === 'string');
  return { attemptId, epoch, kind };
}

/** Poll, confirm, report: as an agent does for which all goes well unless told otherwise. */
export async function runLease(agent: Agent, change: object = {}): Promise<Lease> {
  const lease = await agent.lease();
  assert.equal((await agent.confirm(lease.attemptId, lease.epoch)).status, 200);
  const { status, body } = await agent.report(lease.attemptId, lease.epoch, change);
  assert.equal(status, 200, JSON.stringify(body));
  return lease;
}

/** Collects what the service publishes. */
export function readerOf({ bus }: RunningDeployment) {
  const published: CloudEvent[] = [];
  const stop = new AbortController();
  const done = bus.run({
    group: `spec.${randomUUID()}`,
    topics: [ROLLOUTS_TOPIC, OUTCOMES_TOPIC],
    signal: stop.signal,
    handle: ({ message }) => {
      published.push(message);
      return Promise.resolve();
    },
  });
  return {
    published,
    stop: async () => {
      stop.abort();
      await done;
    },
  };
}
