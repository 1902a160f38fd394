import { describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import {
  assertCloudEvent,
  asyncApiDocument,
  type CloudEvent,
  CONSUMERS,
  deadLetterTopic,
  INTEGRATION_EVENTS,
  TOPIC_PARTITIONS,
  TOPICS,
} from './index.js';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const parse = (text: string): unknown => JSON.parse(text);
const golden = (type: string): CloudEvent =>
  assertCloudEvent(parse(read(`../golden/${type}.json`)));

const stored = read('../asyncapi.json');
const document = parse(stored) as {
  channels: Record<string, { address: string; messages: object; bindings: unknown }>;
  operations: Record<
    string,
    { action: string; channel: { $ref: string }; messages: { $ref: string }[] }
  >;
  components: { messages: Record<string, Message>; schemas: Record<string, object> };
};
type Message = {
  headers: object;
  payload: object;
  examples: { headers: object; payload: object }[];
};

const LENIENT = { strict: false, validateFormats: false, allErrors: true };
const ajv = new Ajv(LENIENT);

/** The check against the official schema, which brings the meta-schema that Ajv has too. */
function officialCheck() {
  const path = createRequire(import.meta.url).resolve('@asyncapi/specs/schemas/3.0.0.json');
  const official = parse(readFileSync(path, 'utf8')) as object;
  return new Ajv({ ...LENIENT, meta: false, validateSchema: false }).compile(official);
}

function messageNamed(type: string): Message {
  const message = document.components.messages[type];
  if (message === undefined) throw new Error(`${type} is no message of the document.`);
  return message;
}

/** What is wrong with a value, held against a part of the document as a schema of its own. */
function faultsOf(schema: object, value: unknown): unknown {
  const check = ajv.compile({ ...schema, components: document.components });
  return check(value) ? [] : check.errors;
}

describe('the AsyncAPI document that is checked in', () => {
  it('is current', () => {
    const examples = new Map(INTEGRATION_EVENTS.map(({ type }) => [type, golden(type)]));
    expect(stored).toBe(asyncApiDocument(examples));
  });

  it('is an AsyncAPI 3.0 document', () => {
    const check = officialCheck();
    expect(check(document) ? [] : check.errors).toEqual([]);
  });

  it('would not pass for one with a fault', () => {
    const check = officialCheck();
    const [topic = ''] = TOPICS;
    for (const fault of [
      { asyncapi: '2.6.0' },
      { channels: { [topic]: { address: 7 } } },
      { operations: { read: { action: 'subscribe', channel: { $ref: '#/channels/x' } } } },
    ]) {
      expect(check({ ...document, ...fault })).toBe(false);
    }
  });

  it('refers only to what it holds', () => {
    const references = [...stored.matchAll(/"\$ref": "#\/([^"]+)"/g)].map(([, path]) => path ?? '');
    expect(references.length).toBeGreaterThan(100);
    for (const reference of references) {
      const target = reference
        .split('/')
        .reduce<unknown>(
          (place, name) =>
            typeof place === 'object' && place !== null ? Reflect.get(place, name) : undefined,
          document,
        );
      expect([reference, target]).toEqual([reference, expect.any(Object)]);
    }
  });

  it('has a channel for every topic, with its partitions and its messages', () => {
    expect(Object.keys(document.channels).filter((name) => !name.endsWith('.dlq'))).toEqual(TOPICS);
    for (const topic of TOPICS) {
      const types = INTEGRATION_EVENTS.filter((each) => each.topic === topic);
      expect(Object.keys(document.channels[topic]?.messages ?? {})).toEqual(
        types.map(({ type }) => type),
      );
      expect(document.channels[topic]?.bindings).toMatchObject({
        kafka: { topic, partitions: TOPIC_PARTITIONS },
      });
    }
  });

  it('says of every topic who publishes and who reads it', () => {
    for (const topic of TOPICS) {
      const on = Object.entries(document.operations).filter(
        ([, { channel }]) => channel.$ref === `#/channels/${topic}`,
      );
      const readers = Object.values(CONSUMERS).filter(({ topics }) =>
        [...topics].some((each) => each === topic),
      );
      expect(on.filter(([, { action }]) => action === 'send').map(([name]) => name)).toEqual([
        topic,
      ]);
      expect(on.filter(([, { action }]) => action === 'receive').map(([name]) => name)).toEqual(
        readers.map(({ group }) => `${group}:${topic}`),
      );
    }
  });

  it('says which messages a group acts on', () => {
    const read = (name: string) =>
      document.operations[name]?.messages.map(({ $ref }) => $ref.split('/').at(-1));
    expect(read('deployment.on-approval:approval.requests.v1')).toEqual([
      'org.patchtrail.approval.RingsAuthorized.v1',
    ]);
    for (const { group, topics, types } of Object.values(CONSUMERS)) {
      const all = [...topics].flatMap((topic) => read(`${group}:${topic}`) ?? []);
      expect(all.toSorted()).toEqual(types ?? INTEGRATION_EVENTS.map(({ type }) => type));
    }
  });

  const reads = Object.values(CONSUMERS).flatMap(({ group, topics }) =>
    [...topics].map((topic) => ({ group, letters: deadLetterTopic(topic, group) })),
  );

  it.each(reads)('says where $group sets aside what it cannot handle: $letters', ({ letters }) => {
    expect(document.channels[letters]).toMatchObject({
      address: letters,
      bindings: { kafka: { topic: letters, partitions: 1 } },
      messages: { DeadLetter: { $ref: '#/components/messages/DeadLetter' } },
    });
    expect(document.operations[letters]).toMatchObject({
      action: 'send',
      channel: { $ref: `#/channels/${letters}` },
    });
  });

  it('has a dead letter as an example that says where it came from and why', () => {
    const { headers, payload, examples } = messageNamed('DeadLetter');
    expect(examples).toHaveLength(1);
    for (const example of examples) {
      expect(faultsOf(headers, example.headers)).toEqual([]);
      expect(faultsOf(payload, example.payload)).toEqual([]);
      expect(faultsOf(headers, { ...example.headers, ce_originaloffset: 'x' })).toHaveLength(1);
      const { ce_consumergroup: group, ...rest } = example.headers as Record<string, string>;
      expect(group).toBe('prioritization.on-discovery');
      expect(faultsOf(headers, rest)).toHaveLength(1);
    }
  });

  it.each(INTEGRATION_EVENTS)('holds the JSON Schema of $type', ({ type }) => {
    const { $schema, $id, $comment, title, ...schema } = parse(
      read(`../schemas/${type}.json`),
    ) as Record<string, unknown>;
    expect([$schema, $id, $comment, title]).not.toContain(undefined);
    expect(document.components.schemas[type]).toMatchObject(schema);
  });

  it.each(INTEGRATION_EVENTS)('has an example that fits $type', ({ type }) => {
    const { headers, payload, examples } = messageNamed(type);
    expect(examples).toHaveLength(1);
    for (const example of examples) {
      expect(faultsOf(headers, example.headers)).toEqual([]);
      expect(faultsOf(payload, example.payload)).toEqual([]);
      expect(faultsOf(headers, { ...example.headers, ce_type: 'another' })).toHaveLength(1);
      expect(faultsOf(headers, { ...example.headers, ce_id: '' })).toHaveLength(1);
    }
  });
});
