import type { Principal } from '@patchtrail/auth';
import { childTraceparent, newTraceparent } from '../trace.js';

/** What is known of a request besides its message. */
export type RequestState = {
  /** The span of this request in the caller's trace. */
  readonly traceparent: string;
  readonly receivedAt: Date;
  /** `null` until the access check has passed, and on routes for anyone. */
  principal: Principal | null;
};

const states = new WeakMap<object, RequestState>();

export function openRequest(request: object, traceparent: unknown, receivedAt: Date): RequestState {
  const span = typeof traceparent === 'string' ? childTraceparent(traceparent) : newTraceparent();
  const state = { traceparent: span, receivedAt, principal: null };
  states.set(request, state);
  return state;
}

export function stateOf(request: object): RequestState {
  return states.get(request) ?? openRequest(request, undefined, new Date());
}
