import { describe, expect, it } from '@jest/globals';
import { assertCloudEvent, type CloudEvent } from '@patchtrail/contracts';
import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { partitionOf } from '../partition.js';
import { messageOf } from '../test-messages.suite.js';
import { fromRecord, toRecord } from './cloud-event.js';

/** As a broker delivers it: bytes everywhere. */
function delivered(message: CloudEvent) {
  const { key, value, headers } = toRecord(message, JSON.stringify(message.data));
  const bytes = Object.entries(headers).map(([name, text]) => [name, Buffer.from(String(text))]);
  return {
    key: Buffer.from(String(key)),
    value: Buffer.from(String(value)),
    headers: Object.fromEntries(bytes) as Record<string, Buffer>,
  };
}

describe('a message as a Kafka record', () => {
  it('is a CloudEvent in binary mode', () => {
    const message = messageOf('thing-1', { n: 1 }, 'id-1');
    expect(toRecord(message, '{"n":1}')).toEqual({
      key: 'thing-1',
      value: '{"n":1}',
      headers: {
        'content-type': 'application/json',
        ce_specversion: '1.0',
        ce_id: 'id-1',
        ce_source: '/patchtrail/suite',
        ce_type: 'org.patchtrail.suite.SomethingHappened.v1',
        ce_subject: 'thing/thing-1',
        ce_time: '2026-11-21T09:00:00Z',
        ce_dataschema: 'urn:patchtrail:schema:org.patchtrail.suite.SomethingHappened.v1',
        ce_partitionkey: 'thing-1',
        ce_sequence: '00000000000000000000',
        ce_correlationid: 'correlation',
        ce_causationid: 'causation',
        ce_traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
        ce_recordedtime: '2026-11-21T09:00:01Z',
        ce_authid: 'somebody',
      },
    });
  });

  it('has no header for an empty attribute, which comes back empty', () => {
    const message = { ...messageOf('key'), traceparent: '', authid: '' };
    const record = delivered(message);
    expect(Object.keys(record.headers)).not.toContain('ce_traceparent');
    expect(fromRecord(record)).toEqual(message);
  });

  it('comes back as it was, whatever its text and data', () => {
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(text, text, fc.jsonValue(), (key, subject, data) => {
        const message = { ...messageOf(key, data), subject };
        const back = fromRecord(delivered(message));
        expect(back).toEqual({ ...message, data: JSON.parse(JSON.stringify(data)) as unknown });
      }),
    );
  });

  it('keeps attributes that are text, and no others', () => {
    const extended = { ...messageOf('key'), dataref: 'https://patchtrail.example/1' };
    expect(fromRecord(delivered(extended))).toEqual(extended);
    const numbered = { ...messageOf('key'), attempt: 3 };
    expect(() => toRecord(numbered, '{}')).toThrow(
      expect.objectContaining({
        code: 'invalid-message',
        message: expect.stringMatching(/attempt/),
      }),
    );
  });

  it('may say that its JSON is UTF-8', () => {
    const message = messageOf('key');
    const record = delivered(message);
    const contentType = Buffer.from('application/json; charset=UTF-8');
    const headers = { ...record.headers, 'content-type': contentType };
    expect(assertCloudEvent(fromRecord({ ...record, headers }))).toEqual(message);
  });

  type Malformed = Partial<Parameters<typeof fromRecord>[0]>;
  const header = (name: string, value: Buffer | Buffer[] | undefined) => ({
    headers: { ...delivered(messageOf('key')).headers, [name]: value },
  });
  it.each<[string, string, Malformed]>([
    ['no headers', '/specversion', { headers: {} }],
    ['no id', '/id', header('ce_id', undefined)],
    ['an id twice', '/id', header('ce_id', [Buffer.from('a'), Buffer.from('b')])],
    ['an id that is no UTF-8', '/id', header('ce_id', Buffer.from([0xc3, 0x28]))],
    ['another version', '/specversion', header('ce_specversion', Buffer.from('0.3'))],
    ['a local time', '/time', header('ce_time', Buffer.from('2026-11-21'))],
    ['no content type', '/datacontenttype', header('content-type', undefined)],
    [
      'the structured mode',
      '/datacontenttype',
      header('content-type', Buffer.from('application/cloudevents+json')),
    ],
    ['a value that is no JSON', '/data', { value: Buffer.from('{"half":') }],
    ['a value that is no UTF-8', '/data', { value: Buffer.from([0xff, 0xfe]) }],
    ['data in a header', '/data', { ...header('ce_data', Buffer.from('{}')), value: null }],
    ['a tombstone', '/data', { value: null }],
    ['an empty value', '/data', { value: Buffer.alloc(0) }],
  ])('is malformed with %s, and says so where it is consumed', (_, field, malformed) => {
    const message = fromRecord({ ...delivered(messageOf('key')), ...malformed });
    expect(() => assertCloudEvent(message)).toThrow(
      expect.objectContaining({ name: 'ContractViolation', field }),
    );
    expect(() => JSON.stringify(message)).not.toThrow();
  });

  it('keeps the bytes that nobody understood', () => {
    const value = Buffer.from([0xff, 0x00, 0x7b]);
    const message = fromRecord({ key: null, value, headers: {} });
    expect(message).toMatchObject({ data_base64: value.toString('base64') });
  });

  it('never fails, whatever bytes come', () => {
    const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));
    const names = fc.constantFrom(
      'ce_id',
      'ce_time',
      'ce_data',
      'ce___proto__',
      'content-type',
      'x',
    );
    const headers = fc.dictionary(names, fc.oneof(bytes, fc.array(bytes, { maxLength: 2 })));
    const record = fc.record({ key: fc.option(bytes), value: fc.option(bytes), headers });
    fc.assert(
      fc.property(record, (any) => {
        expect(typeof JSON.stringify(fromRecord(any))).toBe('string');
      }),
    );
  });
});

describe('the partition of a key', () => {
  it("is what Kafka's own clients compute", () => {
    const theirs = Partitioners.DefaultPartitioner();
    const counts = fc.integer({ min: 1, max: 50 });
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), counts, (key, partitions) => {
        const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
          partitionId,
          partitionErrorCode: 0,
          leader: 1,
          replicas: [1],
          isr: [1],
        }));
        const message = { key, value: '' };
        expect(theirs({ topic: 'any', partitionMetadata, message })).toBe(
          partitionOf(key, partitions),
        );
      }),
    );
  });
});
