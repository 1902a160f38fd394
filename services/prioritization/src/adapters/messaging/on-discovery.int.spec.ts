import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CloudEvent, CONSUMERS, discovery } from '@patchtrail/contracts';
import { type Database, openDatabase, type Sql } from '@patchtrail/postgres';
import {
  eventually,
  EXAMPLE_AT,
  exampleAttributes,
  exampleMessage,
  examplePatch,
  freshDatabase,
  type FreshDatabase,
  typesActedOn,
} from '@patchtrail/testing';
import { v4 } from 'uuid';
import { DecisionsController } from '../http/decisions.controller.js';
import { prioritizationMigrations } from '../postgres/migrations.js';
import { listDecisions, position } from '../postgres/queries.js';
import { onEndpointEvent, onPatchEvent } from './on-discovery.js';

const everything = { after: null, limit: 100 };

let place: FreshDatabase;
let db: Database;

beforeAll(async () => {
  place = await freshDatabase('prioritization');
  db = await openDatabase({
    url: place.url,
    applicationName: 'spec',
    migrations: prioritizationMigrations,
  });
});
afterAll(async () => {
  await db.close();
  await place.drop();
});

async function receive(...messages: readonly CloudEvent[]): Promise<void> {
  for (const each of messages) {
    await db.transaction(async (tx) => {
      await onEndpointEvent(tx, each, EXAMPLE_AT);
      await onPatchEvent(tx, each, EXAMPLE_AT);
    });
  }
}

function enrolled(endpointId: string, exposure: 'public' | 'none') {
  const credentialDigest = `sha256:${'0'.repeat(64)}`;
  const data = { endpointId, attributes: exampleAttributes({ exposure }), credentialDigest };
  return exampleMessage(discovery.EndpointEnrolled, endpointId, data);
}

function missing(endpointId: string, patchId: string) {
  return exampleMessage(discovery.ApplicabilityChanged, endpointId, {
    ...{ endpointId, inventorySequence: 1, collectedAt: EXAMPLE_AT },
    changes: [
      { patchId, from: null, to: 'MISSING', reason: '1 < 2', installedVersion: '1', packages: [] },
    ],
  });
}

function ceased(endpointId: string, patchId: string) {
  const state = { reason: 'removed', installedVersion: null, packages: [] };
  return exampleMessage(discovery.ApplicabilityChanged, endpointId, {
    ...{ endpointId, inventorySequence: 2, collectedAt: EXAMPLE_AT },
    changes: [{ patchId, from: 'MISSING', to: 'NOT_APPLICABLE', ...state }],
  });
}

function retired(endpointId: string) {
  return exampleMessage(discovery.EndpointRetired, endpointId, { endpointId, reason: 'sold' });
}

function catalogue(entries: readonly string[], part = 1, parts = 1) {
  return exampleMessage(discovery.ThreatSignalChanged, 'kev', {
    ...{ signal: 'kev', catalogVersion: '2026.11.20', releasedAt: EXAMPLE_AT, part, parts },
    catalogCount: 2,
    entries: entries.map((cveId) => ({
      ...{ cveId, dateAdded: '2026-11-20', dueDate: '2026-11-23', knownRansomware: false },
    })),
  });
}

const decisionsOf = async (patchId: string) =>
  (await listDecisions(db, { patchId, category: null }, everything)).map((row) => row.decision);
const published = async (patchId: string) =>
  (
    await db.rows<{ type: string }>(
      `SELECT message ->> 'type' AS type FROM outbox WHERE key = $1 ORDER BY number`,
      [patchId],
    )
  ).map(({ type }) => type.split('.').at(-2));

function attributesOf(endpointId: string, exposure: 'public' | 'none') {
  const data = { endpointId, attributes: exampleAttributes({ exposure }) };
  return exampleMessage(discovery.EndpointAttributesChanged, endpointId, data);
}

function discovered(patchId: string, cves: readonly string[] = []) {
  const patch = examplePatch(patchId, { cves: [...cves] });
  return exampleMessage(discovery.PatchDiscovered, patchId, patch);
}

/** Both are under way at once, as in two replicas: the first is kept open while the other comes. */
async function receiveAtOnce(first: CloudEvent, second: CloudEvent): Promise<void> {
  let other: Promise<void> = Promise.resolve();
  await db.transaction(async (tx) => {
    await onEndpointEvent(tx, first, EXAMPLE_AT);
    await onPatchEvent(tx, first, EXAMPLE_AT);
    other = receive(second);
    await Promise.race([other, eventually(untilSomebodyWaits)]);
  });
  await other;
}

async function untilSomebodyWaits(): Promise<void> {
  const waiting = await db.rows(
    `SELECT 1 FROM pg_locks WHERE NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
  );
  expect(waiting).not.toEqual([]);
}

it('acts on what its group says, and on nothing else', async () => {
  const acted = await typesActedOn(async (tx, message) => {
    await onEndpointEvent(tx, message, EXAMPLE_AT);
    await onPatchEvent(tx, message, EXAMPLE_AT);
  });
  expect(acted).toEqual(CONSUMERS.prioritization.types);
});

describe('decisions from what discovery publishes', () => {
  it('are one for each asset context the patch applies to, whatever comes first', async () => {
    const [hidden, exposed, patchId] = [v4(), v4(), v4()];
    await receive(
      missing(hidden, patchId),
      enrolled(hidden, 'none'),
      exampleMessage(discovery.PatchDiscovered, patchId, examplePatch(patchId)),
      enrolled(exposed, 'public'),
      missing(exposed, patchId),
    );
    const contexts = (await decisionsOf(patchId)).map(({ exposure }) => exposure);
    expect(contexts.toSorted()).toEqual(['none', 'public']);
    expect(await published(patchId)).toEqual(['PatchPrioritized', 'PatchPrioritized']);
  });

  it('change when the KEV catalogue is complete, and only then', async () => {
    const [endpointId, patchId] = [v4(), v4()];
    await receive(
      enrolled(endpointId, 'none'),
      exampleMessage(
        discovery.PatchDiscovered,
        patchId,
        examplePatch(patchId, { cves: ['CVE-2026-0002'] }),
      ),
      missing(endpointId, patchId),
    );
    const [before] = await decisionsOf(patchId);
    await receive(catalogue(['CVE-2020-0001'], 1, 2));
    expect(await decisionsOf(patchId)).toEqual([before]);
    await receive(catalogue(['CVE-2020-0002'], 2, 2));
    const [after] = await decisionsOf(patchId);
    expect(before?.category).toBe('critical-security');
    expect(after?.category).toBe('important');
    expect(await published(patchId)).toEqual(['PatchPrioritized', 'PatchReprioritized']);
  });

  it('count no entry of a catalogue that is not complete, whatever else changes', async () => {
    const [endpointId, patchId] = [v4(), v4()];
    await receive(catalogue([]), enrolled(endpointId, 'none'), missing(endpointId, patchId));
    await receive(catalogue(['CVE-2026-0004'], 1, 2), discovered(patchId, ['CVE-2026-0004']));
    const inKev = async () => (await decisionsOf(patchId))[0]?.inputs[0];
    expect(await inKev()).toMatchObject({ name: 'in-kev', value: false });
    await receive(catalogue(['CVE-2026-0005'], 2, 2));
    expect(await inKev()).toMatchObject({ name: 'in-kev', value: true });
  });

  it('become critical when a CVE of the patch is listed', async () => {
    const [endpointId, patchId] = [v4(), v4()];
    await receive(
      catalogue([]),
      enrolled(endpointId, 'none'),
      exampleMessage(
        discovery.PatchDiscovered,
        patchId,
        examplePatch(patchId, { cves: ['CVE-2026-0003'] }),
      ),
      missing(endpointId, patchId),
    );
    expect((await decisionsOf(patchId))[0]?.category).toBe('important');
    await receive(catalogue(['CVE-2026-0003']));
    expect((await decisionsOf(patchId))[0]?.category).toBe('critical-security');
  });

  it('publish nothing again when nothing has changed', async () => {
    const [endpointId, patchId] = [v4(), v4()];
    const discovered = exampleMessage(discovery.PatchDiscovered, patchId, examplePatch(patchId));
    await receive(enrolled(endpointId, 'none'), discovered, missing(endpointId, patchId));
    await receive(missing(endpointId, patchId), discovered);
    expect(await published(patchId)).toHaveLength(1);
  });

  it.each([
    ['changes', (id: string) => [attributesOf(id, 'none')]],
    ['no longer has the patch', (id: string, patchId: string) => [ceased(id, patchId)]],
    ['retires', (id: string) => [retired(id)]],
  ])('leave out a context once its last endpoint %s', async (_, lastOf) => {
    const [hidden, exposed, patchId] = [v4(), v4(), v4()];
    await receive(
      ...[enrolled(hidden, 'none'), enrolled(exposed, 'public'), discovered(patchId)],
      ...[missing(hidden, patchId), missing(exposed, patchId), ...lastOf(exposed, patchId)],
    );
    expect((await decisionsOf(patchId)).map(({ exposure }) => exposure)).toEqual(['none']);
  });

  it('leave a superseded patch out', async () => {
    const [endpointId, patchId] = [v4(), v4()];
    await receive(
      enrolled(endpointId, 'none'),
      exampleMessage(discovery.PatchDiscovered, patchId, examplePatch(patchId)),
      missing(endpointId, patchId),
      exampleMessage(discovery.PatchSuperseded, patchId, { patchId, supersededBy: v4() }),
    );
    expect(await decisionsOf(patchId)).toEqual([]);
  });

  it('return with the revision that brings a withdrawn patch back', async () => {
    const [endpointId, patchId] = [v4(), v4()];
    await receive(
      enrolled(endpointId, 'none'),
      exampleMessage(discovery.PatchDiscovered, patchId, examplePatch(patchId)),
      missing(endpointId, patchId),
      exampleMessage(discovery.PatchWithdrawn, patchId, { patchId, reason: 'gone' }),
    );
    expect(await decisionsOf(patchId)).toEqual([]);
    await receive(
      exampleMessage(discovery.PatchRevised, patchId, examplePatch(patchId, { revision: 2 })),
    );
    expect(await decisionsOf(patchId)).toHaveLength(1);
  });

  it('speak of the current revision only', async () => {
    const [endpointId, patchId] = [v4(), v4()];
    await receive(
      enrolled(endpointId, 'none'),
      exampleMessage(discovery.PatchDiscovered, patchId, examplePatch(patchId)),
      missing(endpointId, patchId),
      exampleMessage(discovery.PatchRevised, patchId, examplePatch(patchId, { revision: 2 })),
    );
    const revisions = (await decisionsOf(patchId)).map((decision) => decision.patchRevision);
    expect(revisions).toEqual([2]);
  });
});

it('decisions are shown with a position that they hold, while more are made', async () => {
  const [endpointId, patchId] = [v4(), v4()];
  await receive(enrolled(endpointId, 'none'), missing(endpointId, patchId), discovered(patchId));
  const before = await position(db);
  let arriving: Promise<void> | null = null;
  const rows: Database['rows'] = async (sql, values) => {
    const found = await db.rows<never>(sql, values);
    if (sql.includes('d.decision'))
      await (arriving ??= receive(attributesOf(endpointId, 'public')));
    return found;
  };
  // As soon as it has arrived, nothing waits any more.
  const decisions = new DecisionsController({ ...db, rows }, () =>
    Promise.resolve(arriving === null ? 7 : 0),
  );
  expect(await decisions.list({})).toMatchObject({ position: before, lagMs: 7 });
});

it('a report looks at the endpoint it is of, however many others need the patch', async () => {
  const [endpointId, patchId] = [v4(), v4()];
  await receive(enrolled(endpointId, 'public'), discovered(patchId));
  await db.run(
    `WITH others AS (
       INSERT INTO endpoints (endpoint_id, exposure, business_impact)
       SELECT gen_random_uuid(), 'none', 'low' FROM generate_series(1, 500) RETURNING endpoint_id)
     INSERT INTO applicability (endpoint_id, patch_id) SELECT endpoint_id, $1 FROM others`,
    [patchId],
  );
  const rowsRead = async (tx: Sql) => {
    const [row] = await tx.rows<{ read: number }>(
      `SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::int AS read
         FROM pg_stat_xact_user_tables WHERE relname = 'applicability'`,
    );
    return row?.read ?? 0;
  };
  const read = await db.transaction(async (tx) => {
    const before = await rowsRead(tx);
    await onEndpointEvent(tx, missing(endpointId, patchId), EXAMPLE_AT);
    return (await rowsRead(tx)) - before;
  });
  expect(read).toBeLessThan(10);
  expect((await decisionsOf(patchId)).map(({ exposure }) => exposure)).toEqual(['public']);
});

describe('decisions from messages that two replicas take at once', () => {
  const decided = async (patchId: string) =>
    (await decisionsOf(patchId)).map(({ exposure, category }) => [exposure, category]);

  it.each(['patch', 'applicability'])(
    'see both: patch and applicability, the %s first',
    async (first) => {
      const [endpointId, patchId] = [v4(), v4()];
      await receive(enrolled(endpointId, 'none'));
      const messages = [discovered(patchId), missing(endpointId, patchId)] as const;
      const [one, other] = first === 'patch' ? messages : ([messages[1], messages[0]] as const);
      await receiveAtOnce(one, other);
      expect(await decided(patchId)).toHaveLength(1);
    },
  );

  it.each(['patch', 'attributes'])(
    'see both: patch and attributes, the %s first',
    async (first) => {
      const [endpointId, patchId] = [v4(), v4()];
      await receive(enrolled(endpointId, 'none'), missing(endpointId, patchId));
      const messages = [discovered(patchId), attributesOf(endpointId, 'public')] as const;
      const [one, other] = first === 'patch' ? messages : ([messages[1], messages[0]] as const);
      await receiveAtOnce(one, other);
      expect((await decided(patchId)).map(([exposure]) => exposure)).toContain('public');
    },
  );

  it.each(['patch', 'catalogue'])('see both: patch and catalogue, the %s first', async (first) => {
    const [endpointId, patchId, cve] = [v4(), v4(), `CVE-2026-${first === 'patch' ? 7 : 8}001`];
    await receive(catalogue([]), enrolled(endpointId, 'none'), missing(endpointId, patchId));
    const messages = [discovered(patchId, [cve]), catalogue([cve])] as const;
    const [one, other] = first === 'patch' ? messages : ([messages[1], messages[0]] as const);
    await receiveAtOnce(one, other);
    expect(await decided(patchId)).toEqual([['none', 'critical-security']]);
  });

  it('do not wait in a circle: a revision and a catalogue that touches it', async () => {
    const [endpointId, patchId] = [v4(), v4()];
    await receive(enrolled(endpointId, 'none'), discovered(patchId), missing(endpointId, patchId));
    const revised = exampleMessage(
      discovery.PatchRevised,
      patchId,
      examplePatch(patchId, { cves: ['CVE-2026-9001'], revision: 2 }),
    );
    await Promise.all([receive(revised), receive(catalogue(['CVE-2026-9001']))]);
    const [after] = (await decisionsOf(patchId)).filter((one) => one.patchRevision === 2);
    expect(after?.category).toBe('critical-security');
  });
});
