import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type DataOf,
  decoder,
  discovery,
  type EventDefinition,
  type Patch,
  toCloudEvent,
} from '@patchtrail/contracts';
import type { Bus } from '@patchtrail/messaging';
import { Type } from '@sinclair/typebox';
import type { Client } from 'pg';
import { contextOf } from './ballot.js';
import type { Host } from './host.js';

/**
 * A command to approval, granted by its policy at once, and its effect in deployment: the rollout
 * that was created because of it. Both are events, stamped by the store's clock.
 */
export type Approvals = Readonly<{
  /** Resolves with the request's id once it is accepted. */
  ask: () => Promise<string>;
  /** Where the store ends now. */
  mark: () => Promise<Mark>;
  /** Resolves when the request has its rollout. */
  untilActedOn: (requestId: string, after: Mark) => Promise<void>;
  /** The first of the commands accepted from then on that has its effect; waits for it. */
  firstActed: (after: Mark, from: Date) => Promise<Settled>;
  /** Every command accepted after the mark, in the order of effects; waits until all have theirs. */
  settled: (after: Mark) => Promise<readonly Settled[]>;
}>;

/** A position in the store. */
export type Mark = string;

export type Settled = Readonly<{ acceptedAt: Date; actedAt: Date }>;

const READY_MS_MAX = 120_000;
const SETTLE_MS_MAX = 300_000;
const POLL_MS = 10;

const PATCH_ID = randomUUID();
const ENDPOINT_ID = randomUUID();
const AT = '2026-11-21T09:00:00Z';

const patch: Patch = {
  ...{ patchId: PATCH_ID, revision: 1, contentDigest: `sha256:${'ab'.repeat(32)}` },
  ...{ vendor: 'debian', vendorKey: 'gauge@2', title: 'gauge 2', sourceId: randomUUID() },
  ...{ sourcePackage: 'gauge', sourceVersion: '2', fromVersion: '1', suite: 'stable' },
  ...{ origin: 'Debian', label: 'Debian', codename: 'bookworm', securityOrigin: false, cves: [] },
  ...{ changelog: { status: 'verified', detail: '' }, artifacts: [], discoveredAt: AT },
};
const attributes = {
  hostname: 'bench',
  platform: { os: 'debian', release: '12', codename: 'bookworm', architecture: 'amd64' },
  ...{ department: 'Bench', location: '', deviceType: 'server', environment: 'staging' as const },
  ...{ businessImpact: 'low' as const, exposure: 'none' as const, owner: '', timeZone: 'UTC' },
  ...{ hardwareModel: '', labels: {} },
};
const gate = { successPercentMin: 100, failuresMax: 0 };
const cap = { unit: 'endpoints', value: 1 };
const plan = {
  name: 'Bench',
  rings: [{ name: 'all', selector: {}, cap, gate, bakeMs: 0, deadlineMs: 86_400_000 }],
  ...{ leaseMs: 60_000, retry: { attemptsMax: 1, backoffMs: 0 }, rollback: 'manual' },
};

/** An endpoint and a patch that it misses, as discovery would tell of them; then a plan to ask by. */
export async function openApprovals(
  host: Host,
  bus: Pick<Bus, 'publish'>,
  store: Client,
): Promise<Approvals> {
  await tellOfTheFleet(bus);
  const { templateId } = Template(await post(host, '/v1/plan-templates', plan));
  const wish = { patchIds: [PATCH_ID], scope: {}, planTemplateId: templateId, remark: '' };
  const ask = async () => {
    const { requestId, status } = Request(await post(host, '/v1/approval-requests', wish));
    if (status !== 'granted') throw new Error(`The request is ${status}, not granted by policy.`);
    return requestId;
  };
  const end = performance.now() + READY_MS_MAX;
  // Refused until the news of the fleet and the patch's priority have come to approval.
  while (!(await ask().then(() => true, refusedBefore(end)))) await pause(250);
  const settledAfter = async (after: Mark) => (await store.query<Maybe>(SETTLED, [after])).rows;
  return {
    ask,
    mark: async () => {
      const { rows } = await store.query<{ mark: Mark }>(MARK);
      return rows[0]?.mark ?? '0';
    },
    untilActedOn: async (requestId, after) => {
      await until(async () => {
        const { rowCount } = await store.query(ACTED_ON, [after, requestId]);
        return rowCount === 0 ? null : true;
      });
    },
    firstActed: (after, from) =>
      until(async () => {
        const acted = (await settledAfter(after)).flatMap(whereActed);
        return acted.find(({ acceptedAt }) => acceptedAt >= from) ?? null;
      }),
    settled: (after) =>
      until(async () => {
        const all = await settledAfter(after);
        const acted = all.flatMap(whereActed);
        return acted.length === all.length ? acted : null;
      }),
  };
}

type Maybe = Readonly<{ acceptedAt: Date; actedAt: Date | null }>;

function whereActed({ acceptedAt, actedAt }: Maybe): readonly Settled[] {
  return actedAt === null ? [] : [{ acceptedAt, actedAt }];
}

const MARK = 'SELECT coalesce(max(position), 0)::text AS mark FROM event_store.events';

const ACTED_ON = `
  SELECT 1 FROM event_store.events
   WHERE position > $1 AND type = 'RolloutCreated' AND data ->> 'requestId' = $2`;

const SETTLED = `
  SELECT a.recorded_at AS "acceptedAt", r.recorded_at AS "actedAt"
    FROM event_store.events a
    LEFT JOIN event_store.events r
      ON r.position > $1 AND r.type = 'RolloutCreated'
     AND a.stream = 'approvalRequest-' || (r.data ->> 'requestId')
   WHERE a.position > $1 AND a.stream LIKE 'approvalRequest-%' AND a.revision = 0
   ORDER BY r.recorded_at`;

const Template = decoder(Type.Object({ templateId: Type.String() }));
const Request = decoder(Type.Object({ requestId: Type.String(), status: Type.String() }));

async function tellOfTheFleet(bus: Pick<Bus, 'publish'>): Promise<void> {
  const credentialDigest = `sha256:${'cd'.repeat(32)}`;
  const enrolled = { endpointId: ENDPOINT_ID, attributes, credentialDigest };
  const change = { patchId: PATCH_ID, from: null, to: 'MISSING' as const, reason: 'older' };
  const report = {
    ...{ endpointId: ENDPOINT_ID, inventorySequence: 1, collectedAt: AT },
    changes: [{ ...change, installedVersion: '1', packages: ['gauge'] }],
  };
  await tell(bus, discovery.PatchDiscovered, PATCH_ID, patch);
  await tell(bus, discovery.EndpointEnrolled, ENDPOINT_ID, enrolled);
  await tell(bus, discovery.ApplicabilityChanged, ENDPOINT_ID, report);
}

async function tell<D extends EventDefinition>(
  bus: Pick<Bus, 'publish'>,
  definition: D,
  key: string,
  data: DataOf<D>,
): Promise<void> {
  const { commandId, at, ...origin } = contextOf();
  const known = { id: commandId, subject: `bench/${key}`, key, sequence: 1 };
  const message = toCloudEvent(
    definition,
    { ...origin, ...known, time: at, recordedTime: at },
    data,
  );
  await bus.publish(definition.topic, [message]);
}

async function post(host: Host, path: string, body: object): Promise<unknown> {
  const response = await fetch(new URL(path, host.url), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${host.token}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  throw new Refused(`${path}: ${response.status} ${text.slice(0, 500)}`);
}

class Refused extends Error {}

function refusedBefore(end: number): (error: unknown) => false {
  return (error) => {
    if (error instanceof Refused && performance.now() < end) return false;
    throw error;
  };
}

async function until<T>(look: () => Promise<T | null>): Promise<T> {
  const end = performance.now() + SETTLE_MS_MAX;
  for (;;) {
    const seen = await look();
    if (seen !== null) return seen;
    if (performance.now() >= end) throw new Error('Not every command was acted on in time.');
    await pause(POLL_MS);
  }
}
