import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type CloudEvent, discovery } from '@patchtrail/contracts';
import { type Database, openDatabase } from '@patchtrail/postgres';
import {
  EXAMPLE_AT,
  exampleAttributes,
  exampleMessage,
  examplePatch,
  freshDatabase,
  type FreshDatabase,
} from '@patchtrail/testing';
import { v4 } from 'uuid';
import { prioritizationMigrations } from '../postgres/migrations.js';
import { listDecisions } from '../postgres/queries.js';
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
