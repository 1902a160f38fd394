import { durations, histogram, inSpan, secondsSince, telemetryIsOn } from '@patchtrail/telemetry';
import { categoryOf } from './category.js';
import type { EventStore } from './event-store.js';

type Append = EventStore['append'];

const duration = durations('db.client.operation.duration', 'Of an append, queueing included.');

/** Appends that PostgreSQL stored in one transaction. */
export const groupSize = histogram('patchtrail.append.group.size', {
  unit: '{append}',
  description: 'Appends that were stored in one transaction.',
  buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
});

/** The same append as a span, and timed. `system` is OpenTelemetry's `db.system.name`. */
export function observedAppend(system: string, append: Append): Append {
  return (stream, expected, events) =>
    telemetryIsOn()
      ? observed(system, stream, events.length, () => append(stream, expected, events))
      : append(stream, expected, events);
}

async function observed<T>(
  system: string,
  stream: string,
  events: number,
  work: () => Promise<T>,
): Promise<T> {
  const category = categoryOf(stream);
  const about = {
    'db.system.name': system,
    'db.operation.name': 'append',
    'db.collection.name': category,
  };
  const more = { 'patchtrail.stream.name': stream, 'db.operation.batch.size': events };
  const options = { kind: 'client', attributes: { ...about, ...more } } as const;
  const startedMs = performance.now();
  let failure: string | null = null;
  try {
    return await inSpan(`append ${category}`, options, work);
  } catch (error) {
    failure = error instanceof Error ? error.name : 'unknown';
    throw error;
  } finally {
    const why = failure === null ? {} : { 'error.type': failure };
    duration.record(secondsSince(startedMs), { ...about, ...why });
  }
}
