import {
  type Attributes,
  context,
  type Context,
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { formatTraceparent, parseTraceparent } from './traceparent.js';

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const;

export type SpanOptions = Readonly<{
  kind: keyof typeof KINDS;
  /** A `traceparent` to go on from; without it the span around this one, and `null` starts anew. */
  parent?: string | null;
  /** Those of what caused this work earlier, each a `traceparent`; what is none is left out. */
  links?: readonly unknown[];
  attributes?: Attributes;
}>;

/** A span whose end is somewhere else in the code than its start. */
export type OpenSpan = Readonly<{
  traceparent: string;
  within: <T>(work: () => T) => T;
  /** `failure` is a short class of it, or `null`. */
  end: (
    outcome: Readonly<{
      failure: string | null;
      attributes?: Attributes;
      /** What turned out to have caused it, beside what was known at the start. */
      links?: readonly unknown[];
      name?: string;
    }>,
  ) => void;
}>;

let isOn = false;

/** Only for whoever registers a tracer provider. */
export function switchTracing(on: boolean): void {
  isOn = on;
}

export function isTracing(): boolean {
  return isOn;
}

/** The work as a span that ends with it; where tracing is off, just the work. */
export function inSpan<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
  return isOn ? traced(name, options, work) : work();
}

/** `null` where tracing is off. */
export function openSpan(name: string, options: SpanOptions): OpenSpan | null {
  return isOn ? started(name, options) : null;
}

/** Of the span around this code, for whatever it sends or stores. */
export function currentTraceparent(): string | null {
  if (!isOn) return null;
  const span = trace.getSpanContext(context.active());
  return span === undefined ? null : formatTraceparent(span);
}

/** For log lines. */
export function currentTraceIds(): Readonly<{ traceId: string; spanId: string }> | null {
  const span = isOn ? trace.getSpanContext(context.active()) : undefined;
  return span === undefined ? null : { traceId: span.traceId, spanId: span.spanId };
}

async function traced<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
  const span = started(name, options);
  let failure: string | null = null;
  try {
    return await span.within(work);
  } catch (error) {
    failure = nameOf(error);
    throw error;
  } finally {
    span.end({ failure });
  }
}

function started(name: string, options: SpanOptions): OpenSpan {
  const { kind, attributes = {}, links = [] } = options;
  const parent = parentOf(options);
  const spanOptions = { kind: KINDS[kind], attributes, links: links.flatMap(linkTo) };
  const span = trace.getTracer('patchtrail').startSpan(name, spanOptions, parent);
  const own = trace.setSpan(parent, span);
  return {
    traceparent: formatTraceparent(span.spanContext()),
    within: (work) => context.with(own, work),
    end: ({ failure, attributes: more = {}, links: late = [], name: better = name }) => {
      span.updateName(better).setAttributes(more).addLinks(late.flatMap(linkTo));
      if (failure !== null) {
        span.setAttribute('error.type', failure);
        span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
      }
      span.end();
    },
  };
}

function parentOf({ parent }: SpanOptions): Context {
  if (parent === undefined) return context.active();
  const remote = parent === null ? null : spanContextOf(parent);
  return remote === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remote);
}

function linkTo(traceparent: unknown): readonly Link[] {
  const linked = spanContextOf(traceparent);
  return linked === null ? [] : [{ context: linked }];
}

function spanContextOf(traceparent: unknown): SpanContext | null {
  const parsed = parseTraceparent(traceparent);
  return parsed === null ? null : { ...parsed, isRemote: true };
}

/** Of the class only: a message may carry what does not belong into a trace. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}
