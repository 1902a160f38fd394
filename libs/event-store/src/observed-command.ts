import { DomainError } from '@patchtrail/event-sourcing';
import {
  currentTraceparent,
  durations,
  openSpan,
  secondsSince,
  traceIdOf,
} from '@patchtrail/telemetry';
import { categoryOf } from './category.js';
import { WrongExpectedRevision } from './event-store.js';

const duration = durations(
  'patchtrail.command.duration',
  'From a command to what became of it, with every try.',
);

type Order = Readonly<{
  name: string;
  command: Readonly<{ type: string }>;
  context: Readonly<{ commandId: string; traceparent: string }>;
}> & { tries: number; cause: string | undefined };

/** What became of it, and for refusals and failures why. */
type Ending = Readonly<{ result: string; errorType?: string }>;

/**
 * Handles a command as a span, whose context the events will carry, and which links to that of the
 * event before them. The work gets the order with that context, and notes in it what it finds.
 */
export async function observeCommand<
  O extends Order,
  H extends Readonly<{ events: readonly unknown[]; repeated: boolean }>,
>(order: O, work: (order: O) => Promise<H>): Promise<H> {
  const category = categoryOf(order.name);
  const { command, context } = order;
  const span = openSpan(`handle ${category}`, {
    kind: 'internal',
    ...(currentTraceparent() === null ? { parent: context.traceparent } : {}),
    attributes: {
      'patchtrail.stream.category': category,
      'patchtrail.stream.name': order.name,
      'patchtrail.command.type': command.type,
      'patchtrail.command.id': context.commandId,
    },
  });
  const traceparent = span?.traceparent ?? context.traceparent;
  const traced = { ...order, context: { ...context, traceparent } };
  const startedMs = performance.now();
  const end = ({ result, errorType }: Ending, events: number) => {
    const why = errorType === undefined ? {} : { 'error.type': errorType };
    const told = { 'patchtrail.command.result': result, ...why };
    duration.record(secondsSince(startedMs), { 'patchtrail.stream.category': category, ...told });
    const counts = {
      'patchtrail.command.retries': traced.tries - 1,
      'patchtrail.command.events': events,
    };
    const failure = result === 'failed' ? (errorType ?? null) : null;
    const isElsewhere = traceIdOf(traced.cause) !== traceIdOf(traceparent);
    const links = isElsewhere ? [traced.cause] : [];
    span?.end({ failure, attributes: { ...told, ...counts }, links });
  };
  try {
    const run = () => work(traced);
    const handled = await (span === null ? run() : span.within(run));
    end({ result: resultOf(handled) }, handled.events.length);
    return handled;
  } catch (error) {
    end(endingOf(error), 0);
    throw error;
  }
}

function resultOf({ events, repeated }: { events: readonly unknown[]; repeated: boolean }): string {
  if (repeated) return 'repeated';
  return events.length === 0 ? 'unchanged' : 'appended';
}

/** Refusals and conflicts are answers, not failures. */
function endingOf(error: unknown): Ending {
  if (error instanceof DomainError) return { result: 'refused', errorType: error.code };
  if (error instanceof WrongExpectedRevision) return { result: 'conflict' };
  return { result: 'failed', errorType: error instanceof Error ? error.name : 'unknown' };
}
