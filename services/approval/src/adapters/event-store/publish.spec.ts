import assert from 'node:assert/strict';
import { describe, expect, it } from '@jest/globals';
import { toCloudEvent } from '@patchtrail/contracts';
import { type Json, UndecodableEvent } from '@patchtrail/event-store';
import { goldenEvents } from '@patchtrail/event-store/golden';
import { approvalRequestCodec } from './approval-request-codec.js';
import { GOLDEN } from './golden.suite.js';
import { messagesOf, publicationOf } from './publish.js';

describe('a stored event that does not fit is never passed over', () => {
  const [first] = goldenEvents(GOLDEN, 'granted');
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
  const requests = ['granted', 'rejected', 'withdrawn', 'expired'];
  const recorded = (scenario: string) => goldenEvents(GOLDEN, scenario);

  it('fits the contract of each event that others hear of', () => {
    const events = requests.flatMap(recorded);
    const published = events.flatMap(messagesOf).map(({ message }) => message);
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
