import { describe, expect, it } from '@jest/globals';
import { judge } from './checks.js';
import type { AptRun, EndpointFacts, RingName } from './fleet.js';
import type { Observations } from './observations.js';

const upgrade = {
  package: 'libz',
  sourcePackage: 'zlib',
  sourceVersion: '2-1',
  from: '1-1',
  to: '2-1',
};
const source = {
  uri: 'file:/r',
  suite: 's',
  components: ['main'],
  architectures: ['amd64'],
  keyring: 'k',
};
const bad = {
  package: 'tool',
  sourcePackage: 'tool',
  sourceVersion: '1.1',
  from: '1.0',
  to: '1.1',
  source,
  failsOn: 'brittle',
};
const run = (minute: number, packages: readonly string[], failed = false): AptRun => ({
  startedAt: `2026-11-21T10:0${String(minute)}:00Z`,
  endedAt: `2026-11-21T10:0${String(minute)}:30Z`,
  packages,
  failed,
});

function machine(
  name: string,
  ring: RingName,
  hardwareModel: string,
  zlib: string,
  history: readonly AptRun[],
): EndpointFacts {
  return {
    endpoint: { name, ring, hardwareModel, department: 'Finance', environment: 'production' },
    packages: { libz: { version: zlib, status: 'ii' }, tool: { version: '1.0', status: 'ii' } },
    history,
  };
}

const before = [
  machine('s1', 'staging', 'sturdy', '1-1', []),
  machine('p1', 'pilot', 'brittle', '1-1', []),
  machine('b1', 'broad', 'brittle', '1-1', []),
];
const after = [
  machine('s1', 'staging', 'sturdy', '2-1', [run(1, ['libz']), run(2, ['tool']), run(5, ['tool'])]),
  machine('p1', 'pilot', 'brittle', '2-1', [
    run(3, ['libz']),
    run(4, ['tool'], true),
    run(5, ['tool']),
  ]),
  machine('b1', 'broad', 'brittle', '2-1', [run(6, ['libz'])]),
];
const granted = { status: 'granted', requestedBy: 'pat', reason: 'because' };
const good: Observations = {
  upgrades: [upgrade],
  bad,
  before,
  after,
  patches: [
    {
      patchId: 'P',
      sourcePackage: 'zlib',
      sourceVersion: '2-1',
      securityOrigin: true,
      cves: ['C'],
    },
    { patchId: 'B', sourcePackage: 'tool', sourceVersion: '1.1', securityOrigin: false, cves: [] },
  ],
  decisions: [
    {
      patchId: 'P',
      category: 'important',
      provisional: true,
      rows: [1],
      unknownInputs: ['in-kev'],
    },
    { patchId: 'B', category: 'feature', provisional: false, rows: [], unknownInputs: [] },
  ],
  securityRequest: { ...granted, approvedBy: ['ana', 'bo'], grantedBy: 'people' },
  badRequest: { ...granted, approvedBy: [], grantedBy: 'policy' },
  selfApproval: { status: 409, code: 'self-approval' },
  justBefore: { ...granted, status: 'open', approvedBy: [], grantedBy: null },
  badRolloutStatus: 'rolled-back',
  badRingsOpened: ['staging', 'pilot'],
  tickets: [{ severity: 'critical', summary: 'halted' }],
  complianceBefore: { numerator: 0, denominator: 3, population: 3 },
  complianceAfter: { numerator: 3, denominator: 3, population: 3 },
  trail: [
    'PatchDiscovered',
    'PatchPrioritized',
    'ApprovalRequested',
    'DecisionRecorded',
    'DecisionRecorded',
    'ApprovalGranted',
    'RolloutCreated',
    'WaveOpened',
    'OutcomesRecorded',
    'RolloutClosed',
  ],
  strangerStatus: 401,
};

/** The same facts but for one endpoint. */
function but(name: string, change: Partial<EndpointFacts>): readonly EndpointFacts[] {
  return after.map((facts) => (facts.endpoint.name === name ? { ...facts, ...change } : facts));
}

const FAILING: Readonly<Record<string, Partial<Observations>>> = {
  'patches-found': { patches: good.patches.slice(1) },
  'patches-prioritized': { decisions: good.decisions.slice(1) },
  'approved-automatically-with-a-reason': { badRequest: { ...good.badRequest, reason: '' } },
  'approved-by-two-people': {
    securityRequest: { ...good.securityRequest, approvedBy: ['ana', 'ana'] },
  },
  'self-approval-refused': { selfApproval: null },
  'stranger-refused': { strangerStatus: 204 },
  'upgraded-everywhere': {
    after: but('b1', { packages: { libz: { version: '2-1', status: 'iF' } } }),
  },
  'ring-by-ring': { after: but('b1', { history: [run(2, ['libz'])] }) },
  'one-transaction-per-lease': {
    after: but('b1', { history: [run(6, ['libz']), run(7, ['libz'])] }),
  },
  'bad-patch-halted-in-the-pilot': { badRolloutStatus: 'completed' },
  'bad-patch-never-reached-the-broad-ring': {
    after: but('b1', { history: [run(6, ['libz']), run(7, ['tool'])] }),
  },
  'touched-endpoints-restored': {
    after: but('p1', {
      packages: { libz: { version: '2-1', status: 'ii' }, tool: { version: '1.1', status: 'iF' } },
    }),
  },
  'failure-ticket-raised': { tickets: [{ severity: 'warning', summary: 'slow' }] },
  'compliance-agrees-with-the-endpoints': {
    complianceAfter: { numerator: 2, denominator: 3, population: 3 },
  },
  'trail-from-feed-to-verified-install': {
    trail: good.trail.filter((type) => type !== 'OutcomesRecorded'),
  },
  'state-as-of-just-before-approval': {
    justBefore: { ...good.justBefore, approvedBy: ['ana'] },
  },
};

describe('the demo checks', () => {
  it('hold on a run that went as it must', () => {
    expect(judge(good).filter(({ ok }) => !ok)).toEqual([]);
  });

  it('have a failing case each', () => {
    expect(Object.keys(FAILING)).toEqual(judge(good).map(({ name }) => name));
  });

  it.each(Object.entries(FAILING))('%s fails where it does not hold', (name, change) => {
    const failed = judge({ ...good, ...change }).filter(({ ok }) => !ok);
    expect(failed.map((check) => check.name)).toContain(name);
  });

  it('notices a ring that was opened although the pilot failed', () => {
    const seen = { ...good, badRingsOpened: ['staging', 'pilot', 'broad'] };
    expect(judge(seen).find(({ name }) => name === 'bad-patch-halted-in-the-pilot')?.ok).toBe(
      false,
    );
  });

  it('claims nothing of an empty fleet', () => {
    const failed = judge({ ...good, before: [], after: [] }).filter(({ ok }) => !ok);
    expect(failed.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['upgraded-everywhere', 'ring-by-ring', 'touched-endpoints-restored']),
    );
  });
});
