import type { Message } from './message.js';

/**
 * Decisions of one stream as pure functions.
 * `decide` returns the events that follow (none: it is already so) or throws a `DomainError`;
 * `evolve` applies a fact and judges nothing.
 */
export type Decider<S, C extends Message, E extends Message> = Readonly<{
  initial: S;
  decide: (command: C, state: S) => readonly E[];
  evolve: (state: S, event: E) => S;
}>;

/** The state that the events lead to, in their order. */
export function fold<S, C extends Message, E extends Message>(
  decider: Decider<S, C, E>,
  events: Iterable<E>,
  from: S = decider.initial,
): S {
  let state = from;
  for (const event of events) state = decider.evolve(state, event);
  return state;
}
