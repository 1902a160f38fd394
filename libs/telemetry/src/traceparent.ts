import { randomBytes } from 'node:crypto';

/** The ids of a span in lower-case hex, and its W3C flags. */
export type TraceContext = Readonly<{ traceId: string; spanId: string; traceFlags: number }>;

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;
const LENGTH_MAX = 256;
const ZERO = /^0+$/;
const SAMPLED = 1;

/** A W3C `traceparent` in its parts, or `null` when it must be ignored. */
export function parseTraceparent(text: unknown): TraceContext | null {
  if (typeof text !== 'string' || text.length > LENGTH_MAX || !TRACEPARENT.test(text)) return null;
  const [version, rest] = [text.slice(0, 2), text.slice(55)];
  if (version === 'ff' || (version === '00' && rest !== '')) return null;
  const [traceId, spanId] = [text.slice(3, 35), text.slice(36, 52)];
  if (ZERO.test(traceId) || ZERO.test(spanId)) return null;
  return { traceId, spanId, traceFlags: Number.parseInt(text.slice(53, 55), 16) };
}

export function formatTraceparent({ traceId, spanId, traceFlags }: TraceContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

/** A new trace, sampled. */
export function newTraceparent(): string {
  return spanIn(randomBytes(16).toString('hex'), SAMPLED);
}

/** A new span in the given trace; a new trace when the text is not a `traceparent`. */
export function childTraceparent(parent: string): string {
  const parsed = parseTraceparent(parent);
  return parsed === null ? newTraceparent() : spanIn(parsed.traceId, parsed.traceFlags);
}

/** The 32 hex digits that all spans of a trace share; empty when the text is not a `traceparent`. */
export function traceIdOf(traceparent: unknown): string {
  return parseTraceparent(traceparent)?.traceId ?? '';
}

function spanIn(traceId: string, traceFlags: number): string {
  return formatTraceparent({ traceId, spanId: randomBytes(8).toString('hex'), traceFlags });
}
