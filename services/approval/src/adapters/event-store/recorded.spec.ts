import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { type CloudEvent, toCloudEvent, decoder } from '@patchtrail/contracts';
import {
  createMemoryEventStore,
  type Json,
  load,
  type NewEvent,
  type Position,
  type StoredEvent,
  type Stream,
  UndecodableEvent,
} from '@patchtrail/event-store';
import type { Message } from '@patchtrail/event-sourcing';
import type { ApprovalPolicyEvent } from '../../domain/approval-policy.js';
import type { ApprovalRequestEvent } from '../../domain/approval-request.js';
import type { PlanTemplateEvent } from '../../domain/plan-template.js';
import { Type } from '@sinclair/typebox';
import { approvalRequestCodec } from './approval-request-codec.js';
import { publicationOf, publishTo } from './publish.js';
import { streamsOf } from './streams.js';

const FILES = [
  'granted-request',
  'rejected-request',
  'withdrawn-request',
  'expired-request',
  'plan-template',
  'approval-policy',
] as const;

const Text = Type.String();
const Metadata = Type.Object({
  schemaVersion: Type.Integer(),
  commandId: Text,
  $correlationId: Text,
  $causationId: Text,
  actor: Text,
  occurredAt: Text,
  traceparent: Text,
});
const decodeRecorded = decoder(
  Type.Array(
    Type.Object({
      id: Text,
      type: Text,
      stream: Text,
      revision: Type.Integer(),
      position: Type.Unsafe<Position>(Text),
      recordedAt: Text,
      data: Type.Unsafe<Json>(Type.Unknown()),
      metadata: Metadata,
    }),
  ),
);
type Recorded = readonly StoredEvent[];
const recorded = (file: (typeof FILES)[number]): Recorded =>
  decodeRecorded(
    JSON.parse(readFileSync(new URL(`recorded/${file}.json`, import.meta.url), 'utf8')),
  );

/** The state that a recorded stream folds to, read as the service reads it. */
async function folded<S, C extends Message, E extends Message>(
  pick: (streams: ReturnType<typeof streamsOf>) => Stream<S, C, E>,
  events: Recorded,
): Promise<S> {
  const store = createMemoryEventStore();
  const [first] = events;
  assert.ok(first);
  await store.append(
    first.stream,
    'no-stream',
    events.map(({ id, type, data, metadata }): NewEvent => ({ id, type, data, metadata })),
  );
  return (await load(pick(streamsOf(store)), first.stream)).state;
}

describe('what was recorded once is read for ever', () => {
  it.each([
    ['granted-request', { status: 'granted', passed: ['approvers'], ringsAuthorized: 3 }],
    ['rejected-request', { status: 'rejected', passed: [], ringsAuthorized: 0 }],
    ['withdrawn-request', { status: 'withdrawn', closedAt: '2026-11-21T09:00:00.000Z' }],
    ['expired-request', { status: 'expired', closedAt: '2026-12-05T09:00:00.000Z' }],
  ] as const)('%s', async (file, expected) => {
    expect(await folded(({ requests }) => requests, recorded(file))).toMatchObject(expected);
  });
  it('plan-template', async () => {
    const state = await folded(({ templates }) => templates, recorded('plan-template'));
    expect(state).toMatchObject({ revision: 1, definition: { name: 'Bold', leaseMs: 30_000 } });
  });
  it('approval-policy', async () => {
    const state = await folded(({ policies }) => policies, recorded('approval-policy'));
    expect(state).toMatchObject({
      status: 'activated',
      proposal: { by: 'pat' },
      activation: { by: 'ana' },
    });
  });

  it('holds every type of event there is', () => {
    // A type that is added has to be named here, and then recorded.
    const types: Record<
      (ApprovalRequestEvent | PlanTemplateEvent | ApprovalPolicyEvent)['type'],
      true
    > = {
      ApprovalRequested: true,
      TimerScheduled: true,
      DecisionRecorded: true,
      StagePassed: true,
      RingsAuthorized: true,
      ApprovalGranted: true,
      ApprovalRejected: true,
      RequestWithdrawn: true,
      RequestExpired: true,
      PlanTemplateDefined: true,
      PlanTemplateRevised: true,
      PolicyProposed: true,
      PolicyActivated: true,
    };
    const found = FILES.flatMap((file) => recorded(file).map(({ type }) => type));
    expect([...new Set(found)].sort()).toEqual(Object.keys(types).sort());
  });
});

describe('a stored event that does not fit is never passed over', () => {
  const [first] = recorded('granted-request');
  assert.ok(first);
  const without = (name: string): Json => {
    assert.ok(typeof first.data === 'object' && first.data !== null && !Array.isArray(first.data));
    return Object.fromEntries(Object.entries(first.data).filter(([key]) => key !== name));
  };
  it.each([
    ['of an unknown type', { ...first, type: 'RequestForgotten' }],
    ['without a field', { ...first, data: without('stages') }],
    ['of a newer version', { ...first, metadata: { ...first.metadata, schemaVersion: 2 } }],
  ])('%s', (_, event) => {
    expect(() => approvalRequestCodec.decode(event)).toThrow(UndecodableEvent);
  });
});

describe('publishing', () => {
  const requests = FILES.slice(0, 4);

  it('fits the contract of each event that others hear of', async () => {
    const published: CloudEvent[] = [];
    const bus = {
      publish: (_topic: string, messages: readonly CloudEvent[]) => {
        published.push(...messages);
        return Promise.resolve();
      },
    };
    const publish = publishTo(bus);
    const events = requests.flatMap(recorded);
    for (const event of events) await publish(event);
    expect(published.map(({ id }) => id)).toEqual(
      events.filter(({ type }) => type !== 'TimerScheduled').map(({ id }) => id),
    );
    expect(published[0]).toMatchObject({
      type: 'org.patchtrail.approval.ApprovalRequested.v1',
      subject: 'approval-request/3f1c8f0a-7b1d-4f4e-9a0e-5d0c1b2a3f01',
      partitionkey: '3f1c8f0a-7b1d-4f4e-9a0e-5d0c1b2a3f01',
      recordedtime: '2026-11-21T09:00:00.123Z',
      causationid: '8a6e0d3c-1f2b-4c5d-8e7f-000000000001',
      authid: 'pat',
    });
  });

  it('says no more than the contract does', () => {
    for (const event of requests.flatMap(recorded)) {
      const publication = publicationOf('id', approvalRequestCodec.decode(event));
      if (publication === null) continue;
      const properties: unknown = publication.definition.schema['properties'];
      assert.ok(typeof properties === 'object' && properties !== null);
      expect(Object.keys(publication.data).sort()).toEqual(Object.keys(properties).sort());
    }
  });

  it('refuses what would not fit', () => {
    const publication = publicationOf('id', {
      type: 'StagePassed',
      data: { stage: '', at: '2026-11-21T09:00:00.000Z' },
    });
    assert.ok(publication);
    const origin = {
      ...{ id: 'id', subject: 's', key: 'k', sequence: 1, time: '', recordedTime: '' },
      ...{ correlationId: '', causationId: '', traceparent: '', actor: '' },
    };
    expect(() => toCloudEvent(publication.definition, origin, publication.data)).toThrow(
      /StagePassed/,
    );
  });
});
