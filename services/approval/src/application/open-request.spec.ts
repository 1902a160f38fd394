import assert from 'node:assert/strict';
import { describe, expect, it } from '@jest/globals';
import { digestOf, type Selector } from '@patchtrail/contracts';
import { DomainError } from '@patchtrail/event-sourcing';
import {
  commandIdFrom,
  type CommandContext,
  createMemoryEventStore,
} from '@patchtrail/event-store';
import fc from 'fast-check';
import { streamsOf } from '../adapters/event-store/streams.js';
import type { PolicyRule } from '../domain/approval-policy.js';
import { approvers, at, change } from '../domain/example-request.suite.js';
import { activatePolicy, proposePolicy } from './change-policies.js';
import { definePlanTemplate } from './change-templates.js';
import { recordDecision } from './decide-request.js';
import { openRequest, type OpenRequestInput } from './open-request.js';
import { type Fleet, type KnownDecision, type KnownPatch, requestStreamOf } from './ports.js';

const BASH = commandIdFrom('patch', 'bash');
const ZLIB = commandIdFrom('patch', 'zlib');
const GROUP = commandIdFrom('group', 'pilots');

const patch = (patchId: string, changes: Partial<KnownPatch> = {}): KnownPatch => ({
  ...{ patchId, revision: 2, contentDigest: `sha256:${'ab'.repeat(32)}`, status: 'available' },
  ...{ vendor: 'debian', sourcePackage: 'bash', suite: 'stable' },
  ...{ securityOrigin: false, cveCount: 0, ...changes },
});
const attributes = {
  hostname: 'h1',
  platform: { os: 'debian', release: '12', codename: 'bookworm', architecture: 'amd64' },
  ...{ department: 'Finance', location: 'Bonn', deviceType: 'server', owner: 'ops' },
  environment: 'production' as const,
  businessImpact: 'moderate' as const,
  exposure: 'none' as const,
  ...{ timeZone: 'UTC', hardwareModel: 'R1', labels: {} },
};
const decision = (patchId: string, changes: Partial<KnownDecision> = {}): KnownDecision => ({
  ...{ decisionId: commandIdFrom('decision', patchId), patchId, patchRevision: 2 },
  ...{ exposure: 'none', businessImpact: 'moderate', category: 'important' },
  ...{ provisional: false, dueAt: '2026-12-05T00:00:00Z', ...changes },
});

type Endpoint = { department: string; exposure?: 'public'; misses: readonly string[] };
type World = Partial<{
  patches: readonly KnownPatch[];
  endpoints: readonly Endpoint[];
  decisions: readonly KnownDecision[];
  groups: ReadonlyMap<string, Selector>;
}>;

function fleetOf(world: World): Fleet {
  const known = () => world.patches ?? [patch(BASH), patch(ZLIB)];
  const {
    endpoints = [{ department: 'Finance', misses: [BASH, ZLIB] }],
    decisions = [decision(BASH), decision(ZLIB)],
    groups = new Map(),
  } = world;
  const all = endpoints.map(({ department, exposure = 'none' as const, misses }, index) => ({
    endpointId: commandIdFrom('endpoint', String(index)),
    attributes: { ...attributes, department, exposure },
    patchIds: misses,
  }));
  return {
    patches: (ids) => Promise.resolve(known().filter(({ patchId }) => ids.includes(patchId))),
    decisions: (ids) => Promise.resolve(decisions.filter(({ patchId }) => ids.includes(patchId))),
    groups: () => Promise.resolve(groups),
    async *touched(ids) {
      for (const endpoint of all) {
        const patchIds = endpoint.patchIds.filter((id) => ids.includes(id));
        if (patchIds.length > 0) yield await Promise.resolve({ ...endpoint, patchIds });
      }
    },
  };
}

let commands = 0;
function context(actor: string): CommandContext {
  commands += 1;
  const commandId = commandIdFrom('spec', String(commands));
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  return { commandId, correlationId: commandId, causationId: commandId, actor, at, traceparent };
}

async function setUp(world: World = {}) {
  const streams = streamsOf(createMemoryEventStore());
  let active: string | null = null;
  const { name, rings, leaseMs, retry, rollback } = change.plan;
  const rollout = { name, rings, leaseMs, retry, rollback };
  const { templateId } = await definePlanTemplate(streams.templates, rollout, context('pat'));
  const ports = {
    ...streams,
    fleet: fleetOf(world),
    activePolicy: () => Promise.resolve(active),
  };
  const open = async (input: Partial<OpenRequestInput> = {}, given = context('pat')) => {
    const asked = { patchIds: [BASH], scope: {}, planTemplateId: templateId, remark: '' };
    const whole = { ...asked, departments: ['*'], ...input };
    const { requestId, outcome } = await openRequest(ports, whole, given);
    assert.ok(outcome.state.status !== 'absent');
    return { requestId, outcome, state: outcome.state, opening: outcome.state.opening };
  };
  const activate = async (rules: readonly PolicyRule[]) => {
    const content = { name: 'Ours', requestTtlMs: 60_000, rules };
    const { policyId } = await proposePolicy(streams.policies, content, context('pat'));
    await activatePolicy(streams.policies, policyId, context('ana'), undefined);
    active = policyId;
    return policyId;
  };
  return { ...streams, templateId, open, activate };
}

const refusal = async (work: Promise<unknown>): Promise<string> => {
  const error: unknown = await work.then(
    () => assert.fail('it was accepted'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof DomainError, String(error));
  return `${error.code}: ${error.detail ?? ''}`;
};

const rule = (name: string, when: string, quorum: number): PolicyRule => ({
  ...{ name, when, reason: `Because of ${name}.` },
  stages: quorum === 0 ? [] : [approvers(quorum)],
});

describe('the change of a request', () => {
  it('holds patches at their revisions, scope and plan by value, and is what is digested', async () => {
    const { open, templateId } = await setUp();
    const scope = { attributes: { department: 'Finance' } };
    const { opening } = await open({ patchIds: [ZLIB, BASH], scope });
    expect(opening.change).toEqual({
      patches: [ZLIB, BASH].map((patchId) => ({
        ...{ patchId, revision: 2, contentDigest: `sha256:${'ab'.repeat(32)}` },
      })),
      scope,
      plan: { ...change.plan, templateId, templateRevision: 0 },
      reach: {
        ...{ departments: ['Finance'], environments: ['production'] },
        ...{ businessImpacts: ['moderate'], exposures: ['none'] },
      },
    });
    expect(opening.changeDigest).toBe(digestOf(opening.change));
  });

  it('may not grow beyond what one append holds', async () => {
    const { open } = await setUp();
    const endpointIds = Array.from({ length: 10_000 }, (_, n) => commandIdFrom('many', String(n)));
    expect(await refusal(open({ scope: { endpointIds } }))).toMatch(/^change-too-large: scope: /);
  });

  it.each<[string, World, Partial<OpenRequestInput>]>([
    ['unknown-patch: patchIds[0]:', { patches: [] }, {}],
    ['patch-superseded: patchIds[0]:', { patches: [patch(BASH, { status: 'superseded' })] }, {}],
    ['patch-withdrawn: patchIds[0]:', { patches: [patch(BASH, { status: 'withdrawn' })] }, {}],
    ['invalid-patches: patchIds[1]:', {}, { patchIds: [BASH, BASH] }],
    ['unknown-plan-template: planTemplateId:', {}, { planTemplateId: BASH }],
    ['invalid-selector: scope.attributes.os2:', {}, { scope: { attributes: { os2: 'x' } } }],
    ['unknown-group: scope.groupIds[0]:', {}, { scope: { groupIds: [GROUP] } }],
    ['nothing-to-patch: scope:', {}, { scope: { attributes: { department: 'Legal' } } }],
    ['nothing-to-patch: scope:', { endpoints: [] }, {}],
    ['not-prioritized: patchIds:', { decisions: [] }, {}],
    ['not-prioritized: patchIds:', { decisions: [decision(BASH, { patchRevision: 1 })] }, {}],
    ['not-prioritized: patchIds:', { decisions: [decision(BASH, { exposure: 'public' })] }, {}],
  ])('is refused with %s', async (expected, world, input) => {
    const { open } = await setUp(world);
    expect(await refusal(open(input))).toContain(expected);
  });
});

describe('what a request touches', () => {
  it('is what misses a patch within the scope, groups included', async () => {
    const { open } = await setUp({
      endpoints: [
        { department: 'Finance', misses: [BASH] },
        { department: 'Operations', misses: [BASH] },
        { department: 'Legal', misses: [ZLIB] },
      ],
      groups: new Map([[GROUP, { attributes: { department: 'Operations' } }]]),
    });
    const all = await open();
    expect(all.opening).toMatchObject({ endpointCount: 2, departments: ['Finance', 'Operations'] });
    const group = await open({ scope: { groupIds: [GROUP] } });
    expect(group.opening).toMatchObject({ endpointCount: 1, departments: ['Operations'] });
  });

  it('gives the strictest category and the earliest deadline of the contexts it touches', async () => {
    const decisions = [
      decision(BASH, { category: 'feature', dueAt: null }),
      decision(ZLIB, { category: 'important', dueAt: '2026-12-05T00:00:00Z', provisional: true }),
      decision(ZLIB, {
        exposure: 'public',
        category: 'critical-security',
        dueAt: '2026-11-24T00:00:00Z',
      }),
    ];
    const inside = await setUp({ decisions });
    const patchIds = [BASH, ZLIB];
    expect((await inside.open({ patchIds })).opening).toMatchObject({
      category: 'important',
      dueAt: '2026-12-05T00:00:00Z',
      policy: { facts: { request: { provisional: true, patchCount: 2 } } },
    });
    const endpoints = [
      { department: 'Finance', misses: [BASH] },
      { department: 'Finance', exposure: 'public' as const, misses: [ZLIB] },
    ];
    const outside = await setUp({ decisions, endpoints });
    expect((await outside.open({ patchIds })).opening).toMatchObject({
      category: 'critical-security',
      dueAt: '2026-11-24T00:00:00Z',
    });
  });
});

describe('the policy in force', () => {
  it('is the built-in one while none is active', async () => {
    const { open } = await setUp();
    expect((await open()).opening).toMatchObject({
      policy: { policyId: 'built-in', revision: 0, rule: 'one-approver' },
      stages: [approvers(1)],
      expiresAt: '2026-12-05T09:00:00.000Z',
    });
  });

  it.each([
    ['automatic', { category: 'optional' }, undefined, 0],
    ['automatic', { category: 'feature' }, 'public', 0],
    ['one-approver', { category: 'important' }, undefined, 1],
    ['two-approvers', { category: 'critical-security' }, undefined, 2],
    ['two-approvers', { category: 'important' }, 'public', 2],
    ['two-approvers', { category: 'important', businessImpact: 'high' }, undefined, 2],
    ['two-approvers', { category: 'important', businessImpact: 'mission-critical' }, undefined, 2],
  ] as const)('asks by %s for %j, exposure %s', async (name, decided, exposure, people) => {
    const businessImpact =
      'businessImpact' in decided ? decided.businessImpact : attributes.businessImpact;
    const where = { businessImpact, exposure: exposure ?? attributes.exposure };
    const known = decision(BASH, { ...decided, ...where });
    const endpoint = {
      endpointId: BASH,
      attributes: { ...attributes, ...where },
      patchIds: [BASH],
    };
    const streams = await setUp();
    const fleet: Fleet = {
      ...fleetOf({ decisions: [known] }),
      async *touched() {
        yield await Promise.resolve(endpoint);
      },
    };
    const { templateId: planTemplateId } = streams;
    const input = { patchIds: [BASH], scope: {}, planTemplateId, remark: '', departments: ['*'] };
    const ports = { ...streams, fleet, activePolicy: () => Promise.resolve(null) };
    const { outcome } = await openRequest(ports, input, context('pat'));
    assert.ok(outcome.state.status !== 'absent');
    const { policy, stages } = outcome.state.opening;
    expect([policy.rule, stages.map(({ quorum }) => quorum)]).toEqual([
      name,
      people === 0 ? [] : [people],
    ]);
  });

  it('is the one activated last: its first rule that matches, at its revision', async () => {
    const { open, activate } = await setUp();
    await activate([rule('first', 'true', 1)]);
    const policyId = await activate([
      rule('others', "request.category == 'optional'", 0),
      rule('ours', "scope.departments.exists(d, d == 'Finance')", 3),
      rule('rest', 'true', 1),
    ]);
    const { opening } = await open();
    expect(opening).toMatchObject({
      policy: { policyId, revision: 1, rule: 'ours', reason: 'Because of ours.' },
      stages: [approvers(3)],
      expiresAt: '2026-11-21T09:01:00.000Z',
    });
    expect(opening.policy.facts).toMatchObject({
      request: { requestedBy: 'pat', category: 'important', provisional: false, patchCount: 1 },
      patches: [{ sourcePackage: 'bash', cveCount: 0 }],
      scope: { departments: ['Finance'], exposures: ['none'], endpointCount: 1 },
      plan: { name: 'Careful', ringCount: 3, rollback: 'automatic' },
    });
  });

  it('fails closed where the facts are more than it can judge', async () => {
    const endpoints = Array.from({ length: 1_001 }, (_, n) => ({
      department: `D${String(n)}`,
      misses: [BASH],
    }));
    const { open, activate } = await setUp({ endpoints });
    await activate([rule('automatic', 'true', 0)]);
    const { state, opening } = await open();
    expect(state.status).toBe('open');
    expect(opening).toMatchObject({ policy: { rule: 'fail-closed' }, stages: [approvers(2)] });
    expect(opening.policy.reason).toContain('scope.departments: must have at most 1000 items');
  });

  it('grants nothing by itself in departments that the requester is not responsible for', async () => {
    const endpoints = ['Finance', 'Operations'].map((department) => ({
      department,
      misses: [BASH],
    }));
    const { open, activate } = await setUp({ endpoints });
    const within = { attributes: { department: 'Finance' } };
    const asked = await open({ departments: ['Finance'] });
    expect(asked.state.status).toBe('open');
    await activate([rule('automatic', 'true', 0)]);
    expect(await refusal(open({ departments: ['Finance'] }))).toBe(
      'not-in-scope: scope: reaches Operations, and the policy asks nobody who is responsible for it',
    );
    const granted = await open({ departments: ['Finance'], scope: within });
    expect(granted.state.status).toBe('granted');
  });

  it('is refused when a condition does not compile, by rule and place', async () => {
    const { activate } = await setUp();
    const rules = [rule('typo', "request.categorie == 'optional'", 0), rule('rest', 'true', 1)];
    expect(await refusal(activate(rules))).toBe(
      'invalid-policy: rules[0].when: line 1, column 8: unknown field categorie',
    );
  });
});

describe('a repeated command', () => {
  it('answers as it did, whatever has changed since', async () => {
    const world: World = {};
    const { open, activate } = await setUp(world);
    const given = context('pat');
    const first = await open({}, given);
    await activate([rule('all', 'true', 0)]);
    world.patches = [patch(BASH, { status: 'withdrawn' })];
    expect(await refusal(open())).toMatch(/^patch-withdrawn/);
    const second = await open({}, given);
    expect(second.requestId).toBe(first.requestId);
    expect(second.state).toEqual(first.state);
    expect([first.outcome.repeated, second.outcome.repeated]).toEqual([false, true]);
  });
});

describe('votes at the same time', () => {
  it('lead to exactly one grant, by as many people as the quorum', async () => {
    const people = ['ana', 'bo', 'cy', 'di', 'eve'];
    const run = async (quorum: number, voters: readonly string[]) => {
      const { open, activate, requests } = await setUp();
      await activate([rule('all', 'true', quorum)]);
      const { requestId, opening } = await open();
      const vote = { verdict: 'approve' as const, changeDigest: opening.changeDigest, remark: '' };
      await Promise.allSettled(
        voters.map((id) =>
          recordDecision(
            requests,
            requestId,
            { id, roles: ['approver'], departments: ['*'] },
            vote,
            context(id),
            undefined,
          ),
        ),
      );
      const events = await requests.store.read(requestStreamOf(requestId));
      const count = (type: string) => events.filter((event) => event.type === type).length;
      const enough = new Set(voters).size >= quorum;
      expect(count('ApprovalGranted')).toBe(enough ? 1 : 0);
      expect(count('RingsAuthorized')).toBe(enough ? 1 : 0);
      expect(count('DecisionRecorded')).toBe(enough ? quorum : new Set(voters).size);
    };
    const voters = fc.array(fc.constantFrom(...people), { minLength: 1, maxLength: 5 });
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 3 }), voters, run), {
      numRuns: 60,
    });
  });
});
