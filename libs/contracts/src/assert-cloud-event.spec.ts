import { describe, expect, it } from '@jest/globals';
import { assertCloudEvent, discovery, toCloudEvent } from './index.js';

const message = toCloudEvent(
  discovery.PatchWithdrawn,
  {
    id: '6f708192-a3b4-4c5d-86e7-f90a1b2c3d01',
    subject: 'patch/1',
    key: '5d3f6a10-92b4-4f6e-8c11-3e7a9b2d4c01',
    sequence: 7n,
    time: '2026-11-21T09:00:00Z',
    recordedTime: '2026-11-21T09:00:01Z',
    correlationId: '',
    causationId: '',
    traceparent: '',
    actor: '',
  },
  { patchId: '5d3f6a10-92b4-4f6e-8c11-3e7a9b2d4c01', reason: 'gone' },
);

describe('assertCloudEvent', () => {
  it('takes what toCloudEvent makes', () => {
    expect(assertCloudEvent(message)).toEqual(message);
    expect(message.sequence).toBe('00000000000000000007');
  });

  it.each<[string, unknown, string]>([
    ['text', 'hello', ''],
    ['null', null, ''],
    ['another version', { ...message, specversion: '0.3' }, '/specversion'],
    ['a number for an id', { ...message, id: 7 }, '/id'],
    ['an empty key', { ...message, partitionkey: '' }, '/partitionkey'],
    ['a key that is too long', { ...message, partitionkey: 'x'.repeat(501) }, '/partitionkey'],
    ['a key that no column holds', { ...message, partitionkey: 'a\u0000' }, '/partitionkey'],
    ['a short sequence', { ...message, sequence: '7' }, '/sequence'],
    ['a time with an offset', { ...message, time: '2026-11-21T09:00:00+01:00' }, '/time'],
    ['no data', { ...message, data: undefined }, '/data'],
  ])('refuses %s and names the field', (_, wrong, field) => {
    expect(() => assertCloudEvent(wrong)).toThrow(
      expect.objectContaining({ name: 'ContractViolation', field }),
    );
  });
});
