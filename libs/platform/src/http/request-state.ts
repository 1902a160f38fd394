import type { Principal } from '@patchtrail/auth';
import { childTraceparent, newTraceparent, openSpan, type OpenSpan } from '@patchtrail/telemetry';

/** What is known of a request besides its message. */
export type RequestState = {
  /** The span of this request in the caller's trace. */
  readonly traceparent: string;
  /** That span to be measured; `null` where nothing is traced. */
  readonly span: OpenSpan | null;
  readonly receivedAt: Date;
  /** `null` until the access check has passed, and on routes for anyone. */
  principal: Principal | null;
};

const states = new WeakMap<object, RequestState>();

export function openRequest(request: object, traceparent: unknown, receivedAt: Date): RequestState {
  const parent = typeof traceparent === 'string' ? traceparent : null;
  const span = openSpan('request', { kind: 'server', parent });
  const own = span?.traceparent ?? (parent === null ? newTraceparent() : childTraceparent(parent));
  const state = { traceparent: own, span, receivedAt, principal: null };
  states.set(request, state);
  return state;
}

export function stateOf(request: object): RequestState {
  return states.get(request) ?? openRequest(request, undefined, new Date());
}
