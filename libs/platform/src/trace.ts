import { randomBytes } from 'node:crypto';

export type TraceContext = Readonly<{ traceId: string; spanId: string; flags: string }>;

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;
const LENGTH_MAX = 256;
const ZERO = /^0+$/;

/** A W3C `traceparent` in its parts, or `null` when it must be ignored. */
export function parseTraceparent(text: string): TraceContext | null {
  if (text.length > LENGTH_MAX || !TRACEPARENT.test(text)) return null;
  const [version, rest] = [text.slice(0, 2), text.slice(55)];
  if (version === 'ff' || (version === '00' && rest !== '')) return null;
  const [traceId, spanId, flags] = [text.slice(3, 35), text.slice(36, 52), text.slice(53, 55)];
  return ZERO.test(traceId) || ZERO.test(spanId) ? null : { traceId, spanId, flags };
}

/** A new trace, sampled. */
export function newTraceparent(): string {
  return format(randomBytes(16).toString('hex'), '01');
}

/** A new span in the given trace; a new trace when the text is not a `traceparent`. */
export function childTraceparent(parent: string): string {
  const context = parseTraceparent(parent);
  return context === null ? newTraceparent() : format(context.traceId, context.flags);
}

/** The 32 hex digits that all spans of a trace share. */
export function traceIdOf(traceparent: string): string {
  return parseTraceparent(traceparent)?.traceId ?? '';
}

function format(traceId: string, flags: string): string {
  return `00-${traceId}-${randomBytes(8).toString('hex')}-${flags}`;
}
