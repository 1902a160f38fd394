import type { CloudEvent } from './cloud-event.js';
import { CONSUMERS, type ConsumerGroup } from './consumers.js';
import {
  DEAD_LETTER_PARTITIONS,
  type DeadLetterOrigin,
  deadLetterTopics,
  MALFORMED_MESSAGE,
} from './dead-letter.js';
import type { EventDefinition } from './define-event.js';
import { INTEGRATION_EVENTS, TOPIC_PARTITIONS, TOPICS } from './integration-events.js';

const HEADERS = 'CloudEventHeaders';
const DEAD_LETTER = 'DeadLetter';
/** Of the AsyncAPI bindings for Kafka. */
const bindingVersion = '0.5.0';

const text = (description: string) => ({ type: 'string', minLength: 1, description });
const instant = (description: string) => ({ ...text(description), format: 'date-time' });

/** CloudEvents 1.0 in the binary mode of its Kafka binding. Attributes that are empty are left out. */
const HEADERS_SCHEMA = {
  type: 'object',
  properties: {
    ce_specversion: { const: '1.0' },
    ce_id: text('Unique with ce_source; a message may come more than once.'),
    ce_source: text('The publishing service.'),
    ce_type: text('Which event it is; the version grows only on a breaking change.'),
    ce_subject: text('The aggregate.'),
    ce_time: instant('When it happened.'),
    ce_dataschema: text('The $id of the JSON Schema of the value.'),
    ce_partitionkey: text('The same as the key of the record.'),
    ce_sequence: { type: 'string', pattern: '^\\d{20}$', description: 'Grows within one key.' },
    ce_recordedtime: instant('When the publishing service made it durable.'),
    ce_correlationid: text('What began with the same request has the same one.'),
    ce_causationid: text('The command or message that led to it.'),
    ce_traceparent: text('W3C trace context.'),
    ce_authid: text('Who is behind it, as an opaque id; informational, never to be trusted.'),
    'content-type': { const: 'application/json' },
  },
  required: [
    ...['ce_specversion', 'ce_id', 'ce_source', 'ce_type', 'ce_subject', 'ce_time'],
    ...['ce_dataschema', 'ce_partitionkey', 'ce_sequence', 'ce_recordedtime', 'content-type'],
  ],
};

const ORIGIN: Readonly<Record<`ce_${keyof DeadLetterOrigin}`, object>> = {
  ce_originaltopic: text('The topic that it was read from.'),
  ce_originalpartition: { type: 'string', pattern: '^\\d+$' },
  ce_originaloffset: { type: 'string', pattern: '^\\d+$' },
  ce_consumergroup: text('Who could not handle it.'),
  ce_errorcode: text('contract-violation, or what the failure is called.'),
  ce_errormessage: { type: 'string', description: 'Why, in one line.' },
};

/** The messages that stand as examples, by type. */
export type ExampleMessages = ReadonlyMap<string, CloudEvent>;

/** What the services say to each other over Kafka, as an AsyncAPI 3 document in JSON. */
export function asyncApiDocument(examples: ExampleMessages): string {
  const document = {
    asyncapi: '3.0.0',
    info: {
      title: 'Patchtrail integration events',
      version: '1',
      description:
        'Messages of one key keep their order, and a message may come more than once: know it by ' +
        'ce_source and ce_id. Types are immutable; optional fields may be added to one. ' +
        'Generated: npm run asyncapi',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    defaultContentType: 'application/json',
    servers: {
      kafka: {
        host: '{broker}',
        protocol: 'kafka',
        description: 'The brokers in KAFKA_BROKERS.',
        variables: { broker: { default: 'localhost:9092' } },
      },
    },
    channels: { ...byName(TOPICS, channelOf), ...deadLetterChannels() },
    operations: { ...sending(), ...receiving(), ...settingAside() },
    components: {
      messages: {
        ...Object.fromEntries(
          INTEGRATION_EVENTS.map((definition) => [
            definition.type,
            messageOf(definition, examples.get(definition.type)),
          ]),
        ),
        [DEAD_LETTER]: deadLetterMessage(examples),
      },
      schemas: {
        [HEADERS]: HEADERS_SCHEMA,
        ...Object.fromEntries(INTEGRATION_EVENTS.map(({ type, schema }) => [type, schema])),
      },
    },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function byName(names: readonly string[], of: (name: string) => object) {
  return Object.fromEntries(names.map((name) => [name, of(name)]));
}

/** A `/` in a name would have to be escaped; none of ours has one. */
const ref = (...path: readonly string[]) => ({ $ref: `#/${path.join('/')}` });

function channelOf(topic: string) {
  const types = typesOn(topic);
  return {
    address: topic,
    servers: [ref('servers', 'kafka')],
    messages: byName(types, (type) => ref('components', 'messages', type)),
    bindings: { kafka: { topic, partitions: TOPIC_PARTITIONS, bindingVersion } },
  };
}

function typesOn(topic: string): readonly string[] {
  return INTEGRATION_EVENTS.filter((each) => each.topic === topic).map(({ type }) => type);
}

function messageOf({ type, source, schema }: EventDefinition, example: CloudEvent | undefined) {
  return {
    name: type,
    title: schema.title ?? nameIn(type),
    contentType: 'application/json',
    headers: {
      allOf: [
        ref('components', 'schemas', HEADERS),
        {
          type: 'object',
          properties: {
            ce_type: { const: type },
            ce_source: { const: source },
            ce_dataschema: { const: `urn:patchtrail:schema:${type}` },
          },
        },
      ],
    },
    payload: ref('components', 'schemas', type),
    correlationId: { location: '$message.header#/ce_correlationid' },
    bindings: { kafka: { key: text('The id of the aggregate.'), bindingVersion } },
    ...(example === undefined ? {} : { examples: [exampleOf(example)] }),
  };
}

/** `org.patchtrail.approval.RingsAuthorized.v1` as `RingsAuthorized`. */
function nameIn(type: string): string {
  return type.split('.').at(-2) ?? type;
}

function exampleOf({ data, datacontenttype, ...attributes }: CloudEvent) {
  const present = Object.entries(attributes).filter(([, value]) => value !== '');
  const headers = Object.fromEntries(present.map(([name, value]) => [`ce_${name}`, value]));
  return { headers: { ...headers, 'content-type': datacontenttype }, payload: data };
}

/** `/patchtrail/discovery` publishes as `discovery`. */
function sending() {
  return byName(TOPICS, (topic) => {
    const [first] = INTEGRATION_EVENTS.filter((each) => each.topic === topic);
    const service = first?.source.split('/').at(-1) ?? '';
    return {
      action: 'send',
      title: `${service} publishes`,
      channel: ref('channels', topic),
      messages: typesOn(topic).map((type) => ref('channels', topic, 'messages', type)),
    };
  });
}

function receiving() {
  const groups: readonly ConsumerGroup[] = Object.values(CONSUMERS);
  const entries = groups.flatMap(({ group, topics, types }) =>
    topics.map((topic) => [`${group}:${topic}`, receivingOf(group, topic, types)] as const),
  );
  return Object.fromEntries(entries);
}

function receivingOf(group: string, topic: string, types: ConsumerGroup['types']) {
  const actedOn = typesOn(topic).filter((type) => types?.includes(type) ?? true);
  return {
    action: 'receive',
    title: `${group.split('.')[0] ?? group} reads`,
    channel: ref('channels', topic),
    messages: actedOn.map((type) => ref('channels', topic, 'messages', type)),
    bindings: { kafka: { groupId: { type: 'string', enum: [group] }, bindingVersion } },
  };
}

function deadLetterChannels() {
  const topics = deadLetterTopics().map(({ letters }) => letters);
  return byName(topics, (topic) => ({
    address: topic,
    description: 'Made when it is first needed.',
    servers: [ref('servers', 'kafka')],
    messages: { [DEAD_LETTER]: ref('components', 'messages', DEAD_LETTER) },
    bindings: { kafka: { topic, partitions: DEAD_LETTER_PARTITIONS, bindingVersion } },
  }));
}

function settingAside() {
  const entries = deadLetterTopics().map(
    ({ group, letters }) => [letters, settingAsideOf(group, letters)] as const,
  );
  return Object.fromEntries(entries);
}

function settingAsideOf(group: string, letters: string) {
  return {
    action: 'send',
    title: `${group} sets aside what it cannot handle`,
    channel: ref('channels', letters),
    messages: [ref('channels', letters, 'messages', DEAD_LETTER)],
  };
}

function deadLetterMessage(examples: ExampleMessages) {
  const [example] = examples.values();
  return {
    name: DEAD_LETTER,
    title: DEAD_LETTER,
    summary:
      'A copy of a message that breaks its contract or whose key was parked, with its cause. ' +
      'It may come twice.',
    contentType: 'application/json',
    headers: {
      allOf: [
        ref('components', 'schemas', HEADERS),
        { type: 'object', properties: ORIGIN, required: Object.keys(ORIGIN) },
      ],
    },
    payload: {
      description:
        'The value as it was read, so it need not fit its schema; null if the copy would have ' +
        `been too large. With ce_type ${MALFORMED_MESSAGE} whatever was there.`,
    },
    correlationId: { location: '$message.header#/ce_correlationid' },
    bindings: { kafka: { key: text('The id of the aggregate.'), bindingVersion } },
    ...(example === undefined ? {} : { examples: [letterOf(example)] }),
  };
}

function letterOf(example: CloudEvent) {
  const [place] = deadLetterTopics();
  const origin: DeadLetterOrigin = {
    originaltopic: place?.topic ?? '',
    originalpartition: '3',
    originaloffset: '1207',
    consumergroup: place?.group ?? '',
    errorcode: 'contract-violation',
    errormessage: 'data.patchId: must be a UUID',
  };
  return exampleOf({ ...example, ...origin });
}
