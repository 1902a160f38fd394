import type { CloudEvent } from '@patchtrail/contracts';
import {
  counter,
  currentTraceparent,
  durations,
  gauges,
  inSpan,
  openSpan,
  secondsSince,
  telemetryIsOn,
} from '@patchtrail/telemetry';
import type { Bus, ConsumerOptions, Delivery } from './bus.js';

const LAG = 'patchtrail.consumer.lag';

/** What a group has not committed of a partition. */
export type PartitionLag = Readonly<{ topic: string; partition: number; lag: bigint }>;

type Observed = Readonly<{
  /** OpenTelemetry's `messaging.system`. */
  system: string;
  lagsOf: (group: string, topics: readonly string[]) => Promise<readonly PartitionLag[]>;
}>;

type About = Readonly<Record<string, string>>;

const operationTime = durations(
  'messaging.client.operation.duration',
  'Of a publication, until it was acknowledged.',
);
const processTime = durations(
  'messaging.process.duration',
  'Of a delivery in its handler, with every try.',
);
const sent = counter('messaging.client.sent.messages', {
  unit: '{message}',
  description: 'Messages whose publication was tried.',
});
const consumed = counter('messaging.client.consumed.messages', {
  unit: '{message}',
  description: 'Deliveries to a handler, repeated ones included.',
});

/** The same bus, which tells of every message that goes in and comes out. */
export function observedBus<B extends Bus>(bus: B, observed: Observed): B {
  return {
    ...bus,
    publish: (topic, messages) =>
      telemetryIsOn() && messages.length > 0
        ? publish(bus, observed, topic, messages)
        : bus.publish(topic, messages),
    run: async (options) => {
      const forget = observeLag(observed, options);
      const handle = (delivery: Delivery) =>
        telemetryIsOn() ? process(observed, options, delivery) : options.handle(delivery);
      await bus.run({ ...options, handle }).finally(forget);
    },
  };
}

async function publish(
  bus: Bus,
  { system }: Observed,
  topic: string,
  messages: readonly CloudEvent[],
): Promise<void> {
  const about = {
    'messaging.system': system,
    'messaging.destination.name': topic,
    'messaging.operation.name': 'send',
  };
  const startedMs = performance.now();
  let errorType: string | null = null;
  const [first] = messages;
  try {
    if (first !== undefined && messages.length === 1) await sendOne(bus, topic, first, about);
    else await sendMany(bus, topic, messages, about);
  } catch (error) {
    errorType = error instanceof Error ? error.name : 'unknown';
    throw error;
  } finally {
    const told = errorType === null ? about : { ...about, 'error.type': errorType };
    operationTime.record(secondsSince(startedMs), told);
    sent.add(messages.length, told);
  }
}

/** The span of the publication is the one that the message carries on. */
function sendOne(bus: Bus, topic: string, message: CloudEvent, about: About): Promise<void> {
  const span = openCreation('send', topic, message, about);
  if (span === null) return bus.publish(topic, [message]);
  const work = () => bus.publish(topic, [{ ...message, traceparent: span.traceparent }]);
  return span.within(work).then(
    () => span.end({ failure: null }),
    (error: unknown) => {
      span.end({ failure: error instanceof Error ? error.name : 'unknown' });
      throw error;
    },
  );
}

/** Each message carries on a span of its own, and the publication links to all of them. */
function sendMany(
  bus: Bus,
  topic: string,
  messages: readonly CloudEvent[],
  about: About,
): Promise<void> {
  const links: string[] = [];
  const created = messages.map((message) => {
    const span = openCreation('create', topic, message, about);
    if (span === null) return message;
    span.end({ failure: null });
    links.push(span.traceparent);
    return { ...message, traceparent: span.traceparent };
  });
  const attributes = {
    ...{ ...about, 'messaging.operation.type': 'send' },
    'messaging.batch.message_count': messages.length,
  };
  const options = { kind: 'client', links, attributes } as const;
  return inSpan(`send ${topic}`, options, () => bus.publish(topic, created));
}

/** What a reaction sends belongs to its span; what a relay sends links to where it was stored. */
function openCreation(
  operation: 'send' | 'create',
  topic: string,
  message: CloudEvent,
  about: About,
) {
  const links = currentTraceparent() === null ? [message.traceparent] : [];
  return openSpan(`${operation} ${topic}`, {
    ...{ kind: 'producer', links },
    attributes: {
      ...{ ...about, 'messaging.operation.name': operation, 'messaging.operation.type': operation },
      ...attributesOf(message),
    },
  });
}

async function process(
  { system }: Observed,
  { group, handle }: ConsumerOptions,
  delivery: Delivery,
): Promise<void> {
  const { topic, partition, offset, message } = delivery;
  const about = {
    'messaging.system': system,
    'messaging.destination.name': topic,
    'messaging.consumer.group.name': group,
    'messaging.operation.name': 'process',
  };
  const attributes = {
    ...{ ...about, ...attributesOf(message) },
    'messaging.operation.type': 'process',
    'messaging.destination.partition.id': String(partition),
    [system === 'kafka' ? 'messaging.kafka.offset' : 'patchtrail.log.offset']: Number(offset),
  };
  const links = [message.traceparent];
  const options = { kind: 'consumer', parent: null, links, attributes } as const;
  const startedMs = performance.now();
  let errorType: string | null = null;
  consumed.add(1, about);
  try {
    await inSpan(`process ${topic}`, options, () => handle(delivery));
  } catch (error) {
    errorType = error instanceof Error ? error.name : 'unknown';
    throw error;
  } finally {
    const told = errorType === null ? about : { ...about, 'error.type': errorType };
    processTime.record(secondsSince(startedMs), told);
  }
}

function attributesOf({ id, type, source }: CloudEvent) {
  return {
    'messaging.message.id': id,
    'cloudevents.event_id': id,
    'cloudevents.event_type': type,
    'cloudevents.event_source': source,
  };
}

function observeLag({ system, lagsOf }: Observed, { group, topics }: ConsumerOptions): () => void {
  const options = { unit: '{message}', description: 'Published and not committed by the group.' };
  return gauges({ [LAG]: options }, async () => {
    const lags = await lagsOf(group, topics);
    const observations = lags.map(({ topic, partition, lag }) => ({
      value: Number(lag),
      attributes: {
        'messaging.system': system,
        'messaging.consumer.group.name': group,
        'messaging.destination.name': topic,
        'messaging.destination.partition.id': String(partition),
      },
    }));
    return { [LAG]: observations };
  });
}
