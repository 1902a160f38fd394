import assert from 'node:assert/strict';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { approval, type CloudEvent, deployment, discovery } from '@patchtrail/contracts';
import { type Database, openDatabase } from '@patchtrail/postgres';
import {
  eventually,
  EXAMPLE_AT,
  exampleAttributes,
  exampleMessage,
  examplePatch,
  freshDatabase,
  type FreshDatabase,
} from '@patchtrail/testing';
import { v4 } from 'uuid';
import { complianceOf } from '../../domain/compliance.js';
import { ReportsController } from '../http/reports.controller.js';
import { reportingMigrations } from '../postgres/migrations.js';
import {
  complianceCounts,
  complianceEntries,
  entryKey,
  failureTickets,
  patchTrail,
  position,
  rolloutTimeline,
} from '../postgres/queries.js';
import { projectCompliance } from './project-compliance.js';
import { recordEvent } from './record-event.js';

let place: FreshDatabase;
let db: Database;

beforeAll(async () => {
  place = await freshDatabase('reporting');
  db = await openDatabase({
    url: place.url,
    applicationName: 'spec',
    migrations: reportingMigrations,
  });
});
afterAll(async () => {
  await db.close();
  await place.drop();
});

async function receive(...messages: readonly CloudEvent[]): Promise<void> {
  for (const message of messages) {
    await db.transaction(async (tx) => {
      await recordEvent(tx, message);
      await projectCompliance(tx, message);
    });
  }
}

type State = 'MISSING' | 'INSTALLED' | 'UNKNOWN';
const everything = { after: null, limit: 100 };
const digest = `sha256:${'2'.repeat(64)}`;
const later = (seconds: number) => new Date(Date.parse(EXAMPLE_AT) + seconds * 1_000).toISOString();

function enrolled(endpointId: string, department: string) {
  const attributes = exampleAttributes({ department });
  return exampleMessage(discovery.EndpointEnrolled, endpointId, {
    ...{ endpointId, attributes, credentialDigest: digest },
  });
}

function applies(endpointId: string, patchId: string, to: State, at = EXAMPLE_AT) {
  const change = { patchId, from: null, to, reason: 'why', installedVersion: '1', packages: [] };
  const data = { endpointId, inventorySequence: 1, collectedAt: at, changes: [change] };
  return exampleMessage(discovery.ApplicabilityChanged, endpointId, data, at);
}

function discovered(patchId: string, at = EXAMPLE_AT) {
  return exampleMessage(discovery.PatchDiscovered, patchId, examplePatch(patchId), at);
}

const plan = {
  ...{ templateId: v4(), templateRevision: 0, name: 'rings', leaseMs: 60_000 },
  rings: [
    {
      ...{ name: 'all', selector: {}, bakeMs: 0, deadlineMs: 60_000 },
      cap: { unit: 'endpoints' as const, value: 1 },
      gate: { successPercentMin: 100, failuresMax: 0 },
    },
  ],
  retry: { attemptsMax: 1, backoffMs: 0 },
  rollback: 'manual' as const,
};

function requested(requestId: string, patchId: string, at: string) {
  const ref = { patchId, revision: 1, contentDigest: digest };
  return exampleMessage(
    approval.ApprovalRequested,
    requestId,
    {
      ...{ requestId, requestedBy: 'pat', changeDigest: digest, category: 'important' },
      ...{ dueAt: null, endpointCount: 1, stages: [] },
      change: { patches: [ref], scope: {}, plan },
      policy: { policyId: 'default', revision: 0, rule: 'r' },
    },
    at,
  );
}

describe('compliance', () => {
  it('is counted per department and patch, with the pairs it leaves out', async () => {
    const [one, two, three, patchId] = [v4(), v4(), v4(), v4()];
    await receive(
      enrolled(one, 'Finance'),
      enrolled(two, 'Sales'),
      enrolled(three, 'Finance'),
      discovered(patchId),
      applies(one, patchId, 'INSTALLED'),
      applies(two, patchId, 'MISSING'),
      applies(three, patchId, 'UNKNOWN'),
    );
    const all = complianceOf(
      await complianceCounts(db, { departments: null, department: null, patchId }),
    );
    expect(all).toMatchObject({ numerator: 1, denominator: 2, population: 3 });
    const finance = complianceOf(
      await complianceCounts(db, { departments: null, department: 'Finance', patchId }),
    );
    expect(finance).toMatchObject({ numerator: 1, denominator: 1, population: 2 });
  });

  it('says since when a state was known to hold, by no clock of an agent', async () => {
    const [endpointId, patchId] = [v4(), v4()];
    const inTheYear = (year: number) => `${String(year)}-01-01T00:00:00.000Z`;
    const found = (to: State, reason: string, at: string) => {
      const change = { patchId, from: null, to, reason, installedVersion: '1', packages: [] };
      const data = { endpointId, inventorySequence: 1, collectedAt: inTheYear(2062) };
      const { ApplicabilityChanged } = discovery;
      return exampleMessage(ApplicabilityChanged, endpointId, { ...data, changes: [change] }, at);
    };
    const sinces = async () => {
      const filter = { departments: null, department: null, patchId };
      const rows = await complianceEntries(db, filter, everything);
      return rows.map(({ state, reason, since }) => [state, reason, since]);
    };
    await receive(enrolled(endpointId, 'Finance'), discovered(patchId));
    await receive(found('MISSING', '1 < 3', inTheYear(2025)));
    await receive(found('MISSING', '2 < 3', inTheYear(2026)));
    expect(await sinces()).toEqual([['MISSING', '2 < 3', inTheYear(2025)]]);
    await receive(found('INSTALLED', '3 = 3', inTheYear(2027)));
    expect(await sinces()).toEqual([['INSTALLED', '3 = 3', inTheYear(2027)]]);
  });

  it('follows the newest state, and forgets who has retired', async () => {
    const [staying, leaving, patchId] = [v4(), v4(), v4()];
    await receive(
      enrolled(staying, 'Finance'),
      enrolled(leaving, 'Finance'),
      discovered(patchId),
      applies(staying, patchId, 'MISSING'),
      applies(leaving, patchId, 'MISSING'),
      applies(staying, patchId, 'INSTALLED'),
      exampleMessage(discovery.EndpointRetired, leaving, { endpointId: leaving, reason: 'sold' }),
    );
    const rows = await complianceEntries(
      db,
      { departments: null, department: null, patchId },
      everything,
    );
    expect(rows.map(({ endpointId, state }) => [endpointId, state])).toEqual([
      [staying, 'INSTALLED'],
    ]);
  });

  it('names a position that it holds, while more arrives', async () => {
    await receive(discovered(v4()));
    const before = await position(db);
    let arriving: Promise<void> | null = null;
    const rows: Database['rows'] = async (sql, values) => {
      const found = await db.rows<never>(sql, values);
      if (sql.includes('FROM applicability')) await (arriving ??= receive(discovered(v4())));
      return found;
    };
    // As soon as it has arrived, nothing waits any more.
    const reports = new ReportsController({ ...db, rows }, () =>
      Promise.resolve(arriving === null ? 7 : 0),
    );
    const aud = { kind: 'person', id: 'aud', roles: [], departments: ['*'] } as const;
    expect(await reports.compliance({}, aud)).toMatchObject({ position: before, lagMs: 7 });
  });

  it('is listed page by page without a gap or a repeat', async () => {
    const patchId = v4();
    const endpoints = Array.from({ length: 5 }, () => v4());
    await receive(discovered(patchId));
    for (const id of endpoints) await receive(enrolled(id, 'Ops'), applies(id, patchId, 'MISSING'));
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const rows = await complianceEntries(
        db,
        { departments: null, department: 'Ops', patchId },
        { after, limit: 2 },
      );
      const shown = rows.slice(0, 2);
      seen.push(...shown.map(({ endpointId }) => endpointId));
      const last = shown.at(-1);
      after = rows.length > 2 && last !== undefined ? entryKey(last) : null;
    } while (after !== null);
    expect(seen).toEqual(endpoints.toSorted());
  });
});

describe('the trail of a patch', () => {
  it('holds everything about it in the order it became durable, whatever arrived first', async () => {
    const [endpointId, patchId, requestId, rolloutId] = [v4(), v4(), v4(), v4()];
    const patches = [{ patchId, revision: 1, contentDigest: digest }];
    await receive(
      enrolled(endpointId, 'Finance'),
      applies(endpointId, patchId, 'MISSING', later(2)),
      discovered(patchId, later(1)),
      requested(requestId, patchId, later(3)),
      exampleMessage(
        approval.DecisionRecorded,
        requestId,
        {
          ...{ requestId, stage: 's', by: 'ana', verdict: 'approve', remark: '' },
          changeDigest: digest,
        },
        later(4),
      ),
      exampleMessage(
        deployment.RolloutCreated,
        rolloutId,
        { rolloutId, requestId, changeDigest: digest, patches, rings: ['all'] },
        later(5),
      ),
      exampleMessage(
        deployment.OutcomesRecorded,
        rolloutId,
        { rolloutId, ring: 'all', patches, outcomes: [] },
        later(7),
      ),
      exampleMessage(
        deployment.WaveOpened,
        rolloutId,
        { rolloutId, ring: 'all', order: 0, cap: 1, epoch: 0 },
        later(6),
      ),
    );
    const types = (await patchTrail(db, patchId, everything)).map(({ type }) =>
      type.split('.').at(-2),
    );
    expect(types).toEqual([
      'PatchDiscovered',
      'ApplicabilityChanged',
      'ApprovalRequested',
      'DecisionRecorded',
      'RolloutCreated',
      'WaveOpened',
      'OutcomesRecorded',
    ]);
    const timeline = await rolloutTimeline(db, rolloutId, everything);
    expect(timeline).toHaveLength(3);
  });

  it('does not grow when a message comes twice', async () => {
    const patchId = v4();
    const message = discovered(patchId);
    await receive(message, message);
    expect(await patchTrail(db, patchId, everything)).toHaveLength(1);
  });
});

describe('failure tickets', () => {
  it('are listed for their rollout', async () => {
    const [rolloutId, ticketId] = [v4(), v4()];
    await receive(
      exampleMessage(deployment.FailureTicketRaised, rolloutId, {
        ...{ rolloutId, ticketId, severity: 'critical', summary: 'halted', failures: [] },
      }),
    );
    const tickets = await failureTickets(db, rolloutId, everything);
    expect(tickets.map(({ ticket }) => ticket)).toMatchObject([{ ticketId }]);
    expect(await failureTickets(db, v4(), everything)).toEqual([]);
  });

  it('become visible in the order of their numbers, for who reads on behind the last', async () => {
    const [first, second] = [v4(), v4()].map((rolloutId) =>
      exampleMessage(deployment.FailureTicketRaised, rolloutId, {
        ...{ rolloutId, ticketId: v4(), severity: 'critical', summary: 'halted', failures: [] },
      }),
    );
    assert.ok(first && second);
    let later: Promise<void> = Promise.resolve();
    await db.transaction(async (tx) => {
      await projectCompliance(tx, first);
      later = receive(second);
      await eventually(async () => {
        const waiting = await db.rows(
          `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        );
        expect(waiting).toHaveLength(1);
      });
    });
    await later;
    const rollouts = (await failureTickets(db, null, everything)).map(({ ticket }) => ticket);
    expect(rollouts.slice(-2)).toMatchObject([first.data, second.data]);
  });
});
