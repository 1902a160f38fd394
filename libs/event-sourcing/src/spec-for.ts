import assert from 'node:assert/strict';
import { type Decider, fold } from './decider.js';
import { DomainError } from './domain-error.js';
import type { Message } from './message.js';

export type Outcome<E> = {
  /** Exactly these events, in this order. */
  then: (...events: readonly E[]) => void;
  /** No event: it was already so. */
  thenNothing: () => void;
  thenRefused: (code: string) => void;
};

/** Given/when/then for a decider: `specFor(decider)(…past).when(command).then(…events)`. */
export function specFor<S, C extends Message, E extends Message>(decider: Decider<S, C, E>) {
  return (...past: readonly E[]) => ({
    when: (command: C): Outcome<E> => {
      const decided = () => decider.decide(command, fold(decider, past));
      const then = (...events: readonly E[]) => {
        const actual = decided();
        assert.deepEqual(actual, events);
        // What was decided must also fold, or the stream could never be read again.
        fold(decider, [...past, ...actual]);
      };
      return {
        then,
        thenNothing: () => {
          then();
        },
        thenRefused: (code) => {
          assert.throws(decided, (error) => {
            assert.ok(error instanceof DomainError, String(error));
            assert.equal(error.code, code);
            return true;
          });
        },
      };
    },
  });
}
