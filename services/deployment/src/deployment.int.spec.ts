import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { discovery, ENDPOINTS_TOPIC, REQUESTS_TOPIC } from '@patchtrail/contracts';
import { openApiDifference } from '@patchtrail/platform';
import { eventually, exampleAttributes, exampleMessage } from '@patchtrail/testing';
import {
  agentOf,
  at,
  authorizing,
  enrolled,
  type Enrolled,
  freshDatabases,
  PATCH,
  publishFleet,
  readerOf,
  rolloutOf,
  runLease,
  type RunningDeployment,
  startDeployment,
  untilStatus,
  viewOf,
} from './deployment.suite.js';
import { planOf, ring } from './domain/examples.suite.js';

let databases: Awaited<ReturnType<typeof freshDatabases>>;
let deployment: RunningDeployment;
let reader: ReturnType<typeof readerOf>;

beforeAll(async () => {
  databases = await freshDatabases();
  deployment = await startDeployment(databases.urls);
  reader = readerOf(deployment);
});
afterAll(async () => {
  await reader.stop();
  await deployment.close();
  await databases.drop();
});

const RINGS = [ring('pilot', { bakeMs: 0 }), ring('broad', { bakeMs: 0 })];

/** Endpoints of their own, and a rollout to them alone. */
async function rolledOut(rings: readonly string[], change: Parameters<typeof planOf>[1] = {}) {
  const endpoints = rings.map((name) => enrolled(name, PATCH.patchId));
  await publishFleet(deployment, endpoints);
  const scope = { endpointIds: endpoints.map(({ endpointId }) => endpointId) };
  const authorized = authorizing(planOf(RINGS, change), scope);
  const rolloutId = await rolloutOf(deployment, authorized);
  const agents = endpoints.map((endpoint) => agentOf(deployment, endpoint));
  const agentAt = (index: number) => agents[index] ?? assert.fail('no such agent');
  return { rolloutId, agentAt, endpoints, authorized };
}

const typesOf = (rolloutId: string) =>
  reader.published
    .filter(({ partitionkey }) => partitionkey === rolloutId)
    .map(({ type }) => type.replace(/^org\.patchtrail\.deployment\.(\w+)\.v1$/, '$1'));

describe('a rollout that goes well', () => {
  it('goes ring by ring, and every number follows from its streams', async () => {
    const { rolloutId, agentAt } = await rolledOut(['pilot', 'broad', 'broad', 'elsewhere']);
    await agentAt(0).lease();
    const { body: offer } = await agentAt(0).poll();
    expect(offer).toMatchObject({
      ...{ rolloutId, kind: 'install', epoch: 1, ring: 'pilot', rollbackOf: null },
      patches: [{ patchId: PATCH.patchId, sourcePackage: 'zlib', sourceVersion: '2' }],
    });
    expect((await agentAt(1).poll()).status).toBe(204);
    const part = await deployment.eventStore.read(`rolloutWave-${rolloutId}_0_0`);
    const asOf = part.at(-1)?.recordedAt ?? assert.fail('nothing is recorded');
    await eventually(() => assert.ok(Date.now() > Date.parse(asOf)));
    await runLease(agentAt(0));
    await runLease(agentAt(1));
    await runLease(agentAt(2), { outcome: 'already-compliant', versions: [] });
    const view = await untilStatus(deployment, rolloutId, 'completed');
    expect(view).toMatchObject({
      cohort: { excludedCount: 1 },
      totals: { planned: 3, verified: 2, alreadyCompliant: 1, inFlight: 0, waiting: 0 },
      rings: [
        { ring: 'pilot', phase: 'passed', states: { verified: 1 }, gate: { verdict: 'passed' } },
        { ring: 'broad', phase: 'passed', states: { verified: 1, 'already-compliant': 1 } },
      ],
      closed: { outcome: 'completed', counts: { planned: 3, verified: 2 } },
    });
    expect((await agentAt(0).poll()).status).toBe(204);
    await eventually(() => {
      const types = typesOf(rolloutId);
      expect(types.filter((type) => type === 'OutcomesRecorded')).toHaveLength(3);
      expect(types.filter((type) => type !== 'OutcomesRecorded')).toEqual([
        'RolloutCreated',
        'CohortFrozen',
        'WaveOpened',
        'GateEvaluated',
        'WaveOpened',
        'GateEvaluated',
        'RolloutClosed',
      ]);
    });
    expect(await viewOf(deployment, rolloutId, `?as_of=${asOf}`)).toMatchObject({
      status: 'running',
      totals: { planned: 3, inFlight: 1, waiting: 2, verified: 0 },
      rings: [{ phase: 'open', states: { leased: 1 } }, { phase: 'pending' }],
    });
    const before = `?as_of=2026-01-01T00:00:00Z`;
    expect((await deployment.send('GET', `/v1/rollouts/${rolloutId}${before}`)).status).toBe(404);
  });

  it('takes in only such endpoints as it was approved for, whatever they have become since', async () => {
    const [one, other] = [enrolled('pilot', PATCH.patchId), enrolled('pilot', PATCH.patchId)];
    await publishFleet(deployment, [one, other]);
    const { endpointId } = other;
    const { department, environment, businessImpact, exposure } = exampleAttributes();
    const attributes = exampleAttributes({ department: 'Operations', labels: { ring: 'pilot' } });
    const relabelled = { endpointId, attributes };
    await deployment.bus.publish(ENDPOINTS_TOPIC, [
      exampleMessage(discovery.EndpointAttributesChanged, endpointId, relabelled),
    ]);
    const scope = { endpointIds: [one.endpointId, endpointId] };
    const reach = {
      ...{ departments: [department], environments: [environment] },
      ...{ businessImpacts: [businessImpact], exposures: [exposure] },
    };
    const authorized = authorizing(planOf(RINGS), scope, { reach });
    const rolloutId = await rolloutOf(deployment, authorized);
    await runLease(agentOf(deployment, one));
    expect(await untilStatus(deployment, rolloutId, 'completed')).toMatchObject({
      ...{ reach, cohort: { excludedCount: 1 }, totals: { planned: 1, verified: 1 } },
    });
    expect((await agentOf(deployment, other).poll()).status).toBe(204);
  });

  it('is one rollout, however often its authorization arrives', async () => {
    const { rolloutId, authorized, agentAt } = await rolledOut(['pilot']);
    await deployment.bus.publish(REQUESTS_TOPIC, [authorized.message]);
    await deployment.bus.publish(REQUESTS_TOPIC, [{ ...authorized.message, id: randomUUID() }]);
    await runLease(agentAt(0));
    await untilStatus(deployment, rolloutId, 'completed');
    const { body } = await deployment.send('GET', `/v1/rollouts?requestId=${authorized.requestId}`);
    expect(at(body, 'data', 'items', 'length')).toBe(1);
  });
});

describe('a bad patch', () => {
  it('halts at the pilot, is rolled back, and raises a ticket', async () => {
    const { rolloutId, agentAt } = await rolledOut(['pilot', 'pilot', 'broad']);
    const bad = { outcome: 'failed', class: 'maintainer-script', detail: 'postinst: exit 1' };
    await runLease(agentAt(0), bad);
    await untilStatus(deployment, rolloutId, 'rolling-back');
    const lease = await agentAt(0).lease();
    expect(lease.kind).toBe('rollback');
    expect(lease.epoch).toBe(2);
    expect((await agentAt(2).poll()).status).toBe(204);
    await runLease(agentAt(0), { outcome: 'rolled-back' });
    const view = await untilStatus(deployment, rolloutId, 'rolled-back');
    expect(view).toMatchObject({
      epoch: 2,
      halt: { origin: 'gate', recalledCount: 0 },
      rollback: { by: 'plan', endpointCount: 1 },
      tickets: [{ severity: 'critical', failures: [{ class: 'maintainer-script' }] }],
      rings: [
        { phase: 'failed', states: { 'rolled-back': 1, cancelled: 1 } },
        { phase: 'pending', states: { cancelled: 1 } },
      ],
    });
    await eventually(() => {
      expect(typesOf(rolloutId)).toEqual(
        expect.arrayContaining(['HaltRequested', 'FailureTicketRaised', 'RollbackStarted']),
      );
      expect(typesOf(rolloutId).at(-1)).toBe('RolloutClosed');
    });
  });

  it('is retried after a transient failure, and then counts', async () => {
    const { rolloutId, agentAt } = await rolledOut(['pilot'], {
      retry: { attemptsMax: 2, backoffMs: 0 },
    });
    const locked = { outcome: 'failed', class: 'lock-timeout', transient: true };
    const first = await runLease(agentAt(0), locked);
    const second = await runLease(agentAt(0));
    expect(second.attemptId).not.toBe(first.attemptId);
    const view = await untilStatus(deployment, rolloutId, 'completed');
    expect(view).toMatchObject({ endpoints: [{ state: 'verified', attempts: 2 }] });
  });
});

describe('an operator', () => {
  const halt = (rolloutId: string, sent: object = {}) =>
    deployment.send('POST', `/v1/rollouts/${rolloutId}/halts`, {
      ...{ ifMatch: '*', body: { reason: 'odd reports' } },
      ...sent,
    });

  it('halts: what has not started is recalled, what has runs to its end', async () => {
    const { rolloutId, agentAt } = await rolledOut(['pilot', 'pilot'], { rollback: 'automatic' });
    const started = await agentAt(0).lease();
    const waiting = await agentAt(1).lease();
    expect((await agentAt(0).confirm(started.attemptId, 1)).status).toBe(200);
    const key = randomUUID();
    const halted = await halt(rolloutId, { key });
    expect([halted.status, halted.body]).toMatchObject([200, { status: 'halting', epoch: 2 }]);
    expect((await halt(rolloutId, { key })).body).toEqual(halted.body);
    const refused = await agentAt(1).confirm(waiting.attemptId, 1);
    expect([refused.status, at(refused.body, 'code')]).toEqual([409, 'epoch-superseded']);
    await untilStatus(deployment, rolloutId, 'halted');
    const tooEarly = await deployment.send('POST', `/v1/rollouts/${rolloutId}/cancellation`, {
      ...{ ifMatch: '*', body: { reason: 'enough' } },
    });
    expect([tooEarly.status, at(tooEarly.body, 'code')]).toEqual([409, 'still-in-flight']);
    expect((await agentAt(0).report(started.attemptId, 1)).status).toBe(200);
    const asked = await deployment.send('POST', `/v1/rollouts/${rolloutId}/rollbacks`, {
      ...{ ifMatch: '*', body: { reason: 'to be safe' } },
    });
    expect(asked.status).toBe(200);
    await untilStatus(deployment, rolloutId, 'rolling-back');
    await runLease(agentAt(0), { outcome: 'rollback-failed', class: 'apt', detail: 'gone' });
    const view = await untilStatus(deployment, rolloutId, 'rollback-failed');
    expect(view).toMatchObject({
      halt: { origin: 'operator', by: 'pat', recalledCount: 1 },
      rollback: { by: 'pat' },
      tickets: [{ summary: expect.stringContaining('Rollback failed') }],
    });
  });

  it('is told which field, rule or revision is wrong, and changes nothing', async () => {
    const { rolloutId } = await rolledOut(['pilot']);
    await untilStatus(deployment, rolloutId, 'running');
    const codeOf = async (sent: object) => {
      const { status, body } = await halt(rolloutId, sent);
      return [status, at(body, 'code')];
    };
    expect(await codeOf({ ifMatch: undefined })).toEqual([428, 'precondition-required']);
    expect(await codeOf({ ifMatch: 'x' })).toEqual([400, 'invalid-if-match']);
    expect(await codeOf({ ifMatch: '"0"' })).toEqual([412, 'stale-revision']);
    expect(await codeOf({ key: '' })).toEqual([400, 'idempotency-key-required']);
    expect(await codeOf({ body: { reason: '' } })).toEqual([400, 'invalid-request']);
    expect(await codeOf({ by: 'ana' })).toEqual([403, 'forbidden']);
    expect(await codeOf({ by: '' })).toEqual([401, 'unauthenticated']);
    const key = randomUUID();
    const other = await deployment.send('POST', `/v1/rollouts/${randomUUID()}/halts`, {
      ...{ key, ifMatch: '*', body: { reason: 'x' } },
    });
    expect(other.status).toBe(404);
    expect(await codeOf({ key })).toEqual([422, 'idempotency-key-reused']);
    for (const path of ['rollbacks', 'cancellation']) {
      const answer = await deployment.send('POST', `/v1/rollouts/${rolloutId}/${path}`, {
        ...{ ifMatch: '*', body: { reason: 'x' } },
      });
      expect([answer.status, at(answer.body, 'code')]).toEqual([409, 'not-halted']);
    }
    expect(at(await viewOf(deployment, rolloutId), 'status')).toBe('running');
  });
});

describe('silence', () => {
  it('after a lease, or without one, is a failure', async () => {
    const { rolloutId, agentAt } = await rolledOut(['pilot'], { rollback: 'manual' });
    const { attemptId } = await agentAt(0).lease();
    deployment.passTime(600_001);
    const view = await untilStatus(deployment, rolloutId, 'halted');
    expect(view).toMatchObject({ endpoints: [{ state: 'timed-out', class: 'silence' }] });
    const late = await agentAt(0).report(attemptId, 1, {
      ...{ outcome: 'failed', class: 'woke-up' },
    });
    expect(late.status).toBe(200);
    expect(await viewOf(deployment, rolloutId)).toMatchObject({
      endpoints: [{ state: 'timed-out' }],
    });
    const second = await rolledOut(['pilot'], { rollback: 'manual' });
    await untilStatus(deployment, second.rolloutId, 'running');
    deployment.passTime(3_600_001);
    const silent = await untilStatus(deployment, second.rolloutId, 'halted');
    expect(silent).toMatchObject({ endpoints: [{ state: 'timed-out', attempts: 0 }] });
  });
});

describe('a report that is not right', () => {
  const reason = async (answer: Promise<{ status: number; body: unknown }>) => {
    const { status, body } = await answer;
    return [status, at(body, 'code')];
  };

  it('is refused and recorded', async () => {
    const { agentAt, endpoints, rolloutId } = await rolledOut(['pilot', 'pilot']);
    const { attemptId } = await agentAt(0).lease();
    expect(await reason(agentAt(1).confirm(attemptId, 1))).toEqual([
      403,
      'lease-of-another-endpoint',
    ]);
    expect(await reason(agentAt(1).report(attemptId, 1))).toEqual([
      403,
      'lease-of-another-endpoint',
    ]);
    expect(await reason(agentAt(0).report(randomUUID(), 1))).toEqual([404, 'unknown-lease']);
    expect(await reason(agentAt(0).report(attemptId, 7))).toEqual([409, 'epoch-mismatch']);
    expect(await reason(agentAt(0).confirm(attemptId, 7))).toEqual([409, 'epoch-superseded']);
    expect(await reason(agentAt(0).report(attemptId, 1))).toEqual([409, 'lease-not-confirmed']);
    const rolledBack = agentAt(0).report(attemptId, 1, { outcome: 'rolled-back' });
    expect(await reason(rolledBack)).toEqual([422, 'outcome-not-of-kind']);
    const { body } = await deployment.send('GET', '/v1/refused-reports', { by: 'aud' });
    const items = at(body, 'data', 'items');
    assert.ok(Array.isArray(items));
    const ids = endpoints.map(({ endpointId }) => endpointId);
    const codes = items
      .filter((item) => ids.includes(String(at(item, 'endpointId'))))
      .map((item) => `${String(at(item, 'kind'))} ${String(at(item, 'code'))}`);
    expect(codes).toEqual([
      'outcome outcome-not-of-kind',
      'outcome lease-not-confirmed',
      'confirmation epoch-superseded',
      'outcome epoch-mismatch',
      'outcome unknown-lease',
      'outcome lease-of-another-endpoint',
      'confirmation lease-of-another-endpoint',
    ]);
    await agentAt(0).report(attemptId, 7);
    const again = await deployment.send('GET', '/v1/refused-reports?page_size=500');
    const counted: unknown = at(again.body, 'data', 'items');
    assert.ok(Array.isArray(counted));
    expect(counted.filter((item) => at(item, 'attemptId') === attemptId)).toContainEqual(
      expect.objectContaining({ code: 'epoch-mismatch', times: 2 }),
    );
    expect(await viewOf(deployment, rolloutId)).toMatchObject({ totals: { inFlight: 1 } });
  });

  it('names field and rule when it is malformed', async () => {
    const { agentAt } = await rolledOut(['pilot']);
    const { attemptId } = await agentAt(0).lease();
    const fieldOf = async (change: object) => {
      const { status, body } = await agentAt(0).report(attemptId, 1, change);
      return [status, at(body, 'errors', 0, 'field')];
    };
    expect(await fieldOf({ outcome: 'fine' })).toEqual([400, 'outcome']);
    expect(await fieldOf({ epoch: 0 })).toEqual([400, 'epoch']);
    expect(await fieldOf({ class: 'No Class' })).toEqual([400, 'class']);
    expect(await fieldOf({ outcome: 'failed', class: '' })).toEqual([400, 'class']);
    expect(await fieldOf({ transient: 'yes' })).toEqual([400, 'transient']);
    expect(await fieldOf({ versions: [{ package: '' }] })).toEqual([400, 'versions[0].package']);
    expect(await fieldOf({ deviceTime: 'noon' })).toEqual([400, 'deviceTime']);
    const refused = await deployment.send('PUT', `/v1/leases/not-a-uuid/outcome`, {
      ...{ by: 'pat', body: {} },
    });
    expect(refused.status).toBe(403);
  });

  it('counts once, however often it is sent', async () => {
    const { rolloutId, agentAt } = await rolledOut(['pilot', 'broad']);
    const { attemptId } = await runLease(agentAt(0));
    const again = await agentAt(0).report(attemptId, 1);
    expect(again.status).toBe(200);
    await untilStatus(deployment, rolloutId, 'running');
    const stored = await deployment.eventStore.read(`rolloutWave-${rolloutId}_0_0`);
    expect(stored.filter(({ type }) => type === 'OutcomesRecorded')).toHaveLength(1);
  });
});

describe('an agent', () => {
  it('gets nothing without its credential, or for another endpoint', async () => {
    const { endpoints } = await rolledOut(['pilot', 'pilot']);
    const [one, two] = endpoints;
    assert.ok(one && two);
    const poll = (by: string, endpointId: string) =>
      deployment.send('PUT', `/v1/agents/${endpointId}/lease`, { by, body: { busyWith: null } });
    const statusOf = async (by: string, of: Enrolled) => (await poll(by, of.endpointId)).status;
    expect(await statusOf(one.credential, two)).toBe(403);
    expect(await statusOf('', one)).toBe(401);
    expect(await statusOf('pat', one)).toBe(403);
    expect(await statusOf(one.credential.slice(0, -1), one)).toBe(401);
    const stranger = enrolled('pilot', PATCH.patchId);
    expect(await statusOf(stranger.credential, stranger)).toBe(401);
  });

  it('has one lease over all rollouts, and the same one when it asks again', async () => {
    const { rolloutId, agentAt, endpoints } = await rolledOut(['pilot']);
    const [endpoint] = endpoints;
    assert.ok(endpoint);
    const scope = { endpointIds: [endpoint.endpointId] };
    const other = authorizing(planOf(RINGS, { name: 'another' }), scope);
    const otherId = await rolloutOf(deployment, other);
    await untilStatus(deployment, otherId, 'running');
    const leases = await Promise.all([agentAt(0).lease(), agentAt(0).lease(), agentAt(0).lease()]);
    expect(new Set(leases.map(({ attemptId }) => attemptId)).size).toBe(1);
    const inFlight = async (id: string) =>
      at(await viewOf(deployment, id), 'totals', 'inFlight') === 1;
    expect([await inFlight(rolloutId), await inFlight(otherId)].filter(Boolean)).toHaveLength(1);
    expect((await agentAt(0).poll(randomUUID())).status).toBe(204);
    await runLease(agentAt(0));
    await runLease(agentAt(0), { outcome: 'already-compliant' });
    await untilStatus(deployment, rolloutId, 'completed');
    await untilStatus(deployment, otherId, 'completed');
  });
});

describe('the API', () => {
  it('is the one in the document that is checked in', async () => {
    const file = new URL('../openapi.json', import.meta.url);
    expect(await openApiDifference(file, deployment.app.document('deployment'))).toBe(null);
  });
});
