import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type Person, type Role, TokenRefused } from '@patchtrail/auth';
import {
  type CloudEvent,
  type DataOf,
  discovery,
  type EndpointAttributes,
  type EventDefinition,
  type Patch,
  prioritization,
  type PriorityDecision,
  toCloudEvent,
} from '@patchtrail/contracts';
import { eventStoreMigrations, openPostgresEventStore } from '@patchtrail/event-store';
import { type Bus, busMigrations, openPostgresBus } from '@patchtrail/messaging';
import { createHttpApp, createLogger } from '@patchtrail/platform';
import { newTraceparent } from '@patchtrail/telemetry';
import { openDatabase } from '@patchtrail/postgres';
import { eventually, freshDatabase } from '@patchtrail/testing';
import { approvalMigrations, ApprovalModule, createApproval } from './index.js';

const log = createLogger('approval-spec', 'silent');

/** Who is who; a token is the person's name. */
const PEOPLE: Readonly<Record<string, readonly [readonly Role[], readonly string[]]>> = {
  pat: [['platform-engineer'], ['*']],
  olga: [['platform-engineer'], ['Operations']],
  ana: [['approver'], ['*']],
  bo: [['approver'], ['*']],
  cy: [['approver'], ['Finance']],
  aud: [['auditor'], ['*']],
};

function verifyToken(token: string): Promise<Person> {
  const known = PEOPLE[token];
  if (known === undefined) return Promise.reject(new TokenRefused('token', 'is not known'));
  const [roles, departments] = known;
  return Promise.resolve({ kind: 'person', id: token, roles, departments });
}

export type Answer = Readonly<{
  status: number;
  etag: string | null;
  body: Readonly<Record<string, unknown>>;
}>;
type Sent = Readonly<{ by?: string; key?: string; ifMatch?: string; body?: unknown }>;

/** The service over HTTP with its own databases, its bus, and a clock that can be set. */
export async function startApproval() {
  const [own, busDb, storeDb] = await Promise.all([
    freshDatabase('approval'),
    freshDatabase('bus'),
    freshDatabase('events'),
  ]);
  const migrate = async (url: string, migrations: typeof approvalMigrations) =>
    (await openDatabase({ url, applicationName: 'spec', migrations })).close();
  await migrate(busDb.url, [...busMigrations]);
  await migrate(storeDb.url, [...eventStoreMigrations]);
  const options = { url: own.url, applicationName: 'approval', migrations: approvalMigrations };
  const db = await openDatabase(options);
  const bus = await openPostgresBus({ url: busDb.url });
  const eventStore = await openPostgresEventStore({ url: storeDb.url });
  let aheadMs = 0;
  const now = () => new Date(Date.now() + aheadMs);
  const service = await createApproval({ db, bus, eventStore, verifyToken, log, now });
  const docs = [{ name: 'approval', title: 'Patchtrail approval', module: ApprovalModule }];
  const app = await createHttpApp({
    ...{ modules: [service.module], docs, log, now },
    checkAnswers: true,
  });
  await service.start();
  const url = await app.listen(0, '127.0.0.1');
  return {
    ...{ db, bus, eventStore, service, app },
    send: (method: string, path: string, sent: Sent = {}) => send(url, method, path, sent),
    passTime: (ms: number) => {
      aheadMs += ms;
    },
    publish: (messages: readonly (readonly [EventDefinition, CloudEvent])[]) =>
      publish(bus, messages),
    close: async () => {
      await app.close();
      await service.stop();
      await Promise.all([bus.close(), eventStore.close(), db.close()]);
      await Promise.all([own.drop(), busDb.drop(), storeDb.drop()]);
    },
  };
}
export type RunningApproval = Awaited<ReturnType<typeof startApproval>>;

async function send(url: string, method: string, path: string, sent: Sent): Promise<Answer> {
  const { by = 'pat', key = randomUUID(), ifMatch, body } = sent;
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(by === '' ? {} : { authorization: `Bearer ${by}` }),
      ...(key === '' || method !== 'POST' ? {} : { 'idempotency-key': key }),
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const json: unknown = await response.json();
  return { status: response.status, etag: response.headers.get('etag'), body: objectIn(json) };
}

/** The object at a place of an answer: `objectIn(answer.body, 'data')`. */
export function objectIn(value: unknown, ...path: readonly string[]): Record<string, unknown> {
  const found = path.reduce<unknown>(
    (at, name) => (typeof at === 'object' && at !== null ? Reflect.get(at, name) : undefined),
    value,
  );
  assert.ok(typeof found === 'object' && found !== null, `no object at ${path.join('.')}`);
  return Object.fromEntries(Object.entries(found));
}

async function publish(
  bus: Bus,
  messages: readonly (readonly [EventDefinition, CloudEvent])[],
): Promise<void> {
  for (const [{ topic }, message] of messages) await bus.publish(topic, [message]);
}

let sequence = 0;

/** An integration event of another service, as it would arrive. */
export function arriving<D extends EventDefinition>(
  definition: D,
  key: string,
  data: DataOf<D>,
): readonly [EventDefinition, CloudEvent] {
  const at = new Date().toISOString();
  const id = randomUUID();
  sequence += 1;
  const origin = {
    ...{ id, key, sequence, subject: `spec/${key}`, time: at, recordedTime: at },
    ...{ correlationId: id, causationId: id, traceparent: newTraceparent(), actor: 'spec' },
  };
  return [definition, toCloudEvent(definition, origin, data)];
}

export function examplePatch(changes: Partial<Patch> = {}): Patch {
  return {
    patchId: randomUUID(),
    revision: 1,
    contentDigest: `sha256:${'ab'.repeat(32)}`,
    vendor: 'debian',
    vendorKey: 'bash@5.2',
    title: 'bash 5.2',
    sourcePackage: 'bash',
    sourceVersion: '5.2',
    fromVersion: '5.1',
    sourceId: randomUUID(),
    origin: 'Debian',
    label: 'Debian-Security',
    suite: 'stable-security',
    codename: 'bookworm',
    securityOrigin: true,
    cves: ['CVE-2026-0001'],
    changelog: { status: 'verified', detail: '' },
    artifacts: [],
    discoveredAt: '2026-11-21T08:00:00Z',
    ...changes,
  };
}

export function exampleAttributes(changes: Partial<EndpointAttributes> = {}): EndpointAttributes {
  return {
    hostname: 'host',
    platform: { os: 'debian', release: '12', codename: 'bookworm', architecture: 'amd64' },
    department: 'Finance',
    location: 'Bonn',
    deviceType: 'server',
    environment: 'production',
    businessImpact: 'moderate',
    exposure: 'none',
    owner: 'ops',
    timeZone: 'Europe/Berlin',
    hardwareModel: 'R1',
    labels: {},
    ...changes,
  };
}

function exampleDecision(
  patch: Patch,
  attributes: EndpointAttributes,
  changes: Partial<PriorityDecision> = {},
): PriorityDecision {
  const { exposure, businessImpact } = attributes;
  return {
    decisionId: randomUUID(),
    patchId: patch.patchId,
    patchRevision: patch.revision,
    ...{ exposure, businessImpact },
    category: 'important',
    provisional: false,
    response: 'scheduled',
    dueAt: '2026-12-05T08:00:00Z',
    pack: { name: 'CISA BOD 26-04', version: '1' },
    rows: [{ row: 3, outcome: 'scheduled', days: 14 }],
    inputs: [],
    decidedAt: '2026-11-21T08:00:00Z',
    ...changes,
  };
}

/** A patch, an endpoint that misses it, and the decision about both. */
export function missingOn(
  patch: Patch,
  attributes: EndpointAttributes,
  decision: Partial<PriorityDecision> = {},
) {
  const endpointId = randomUUID();
  const change = {
    ...{ patchId: patch.patchId, from: null, to: 'MISSING' as const, reason: 'older' },
    ...{ installedVersion: '5.1', packages: ['bash'] },
  };
  const credentialDigest = `sha256:${'cd'.repeat(32)}`;
  const report = {
    ...{ endpointId, inventorySequence: 1, collectedAt: '2026-11-21T08:00:00Z' },
    changes: [change],
  };
  const decided = exampleDecision(patch, attributes, decision);
  const enrolled = { endpointId, attributes, credentialDigest };
  return {
    endpointId,
    events: [
      arriving(discovery.PatchDiscovered, patch.patchId, patch),
      arriving(discovery.EndpointEnrolled, endpointId, enrolled),
      arriving(discovery.ApplicabilityChanged, endpointId, report),
      arriving(prioritization.PatchPrioritized, patch.patchId, decided),
    ],
  };
}

/** Until the service's own view holds as many rows. */
export async function untilRows(
  { db }: RunningApproval,
  table: 'decisions' | 'missing_patches' | 'patches',
  count: number,
): Promise<void> {
  await eventually(async () => {
    const [row] = await db.rows<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
    assert.equal(row?.count, count);
  });
}

export const examplePlan = {
  name: 'Careful',
  rings: [
    {
      name: 'pilot',
      selector: { attributes: { 'labels.ring': 'pilot' } },
      cap: { unit: 'endpoints', value: 1 },
      gate: { successPercentMin: 100, failuresMax: 0 },
      ...{ bakeMs: 0, deadlineMs: 60_000 },
    },
    {
      name: 'broad',
      selector: {},
      cap: { unit: 'percent', value: 50 },
      gate: { successPercentMin: 90, failuresMax: 1 },
      ...{ bakeMs: 0, deadlineMs: 60_000 },
    },
  ],
  leaseMs: 30_000,
  retry: { attemptsMax: 2, backoffMs: 1_000 },
  rollback: 'automatic',
};
