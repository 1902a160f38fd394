import { type Decider, DomainError, type Message } from '@patchtrail/event-sourcing';
import { jsonCodec } from './codec.js';
import type { EventStore } from './event-store.js';
import type { Stream } from './fold-stream.js';
import { type CommandContext, handle } from './handle.js';
import { metadata } from './test-events.suite.js';

/** The smallest domain that the specs of this library need. */

export type CounterCommand = Message<'Add', { by: number; times?: number }>;
export type CounterEvent = Message<'Added', { by: number }>;

export const counter: Decider<number, CounterCommand, CounterEvent> = {
  initial: 0,
  decide: ({ data: { by, times = 1 } }, total) => {
    if (by < 0) throw new DomainError('negative', 'by must be at least 0');
    if (by === 0 || total + by * times > 1_000) return [];
    return Array.from({ length: times }, () => ({ type: 'Added', data: { by } }));
  },
  evolve: (total, { data }) => total + data.by,
};

export const counterCodec = jsonCodec<CounterEvent>(
  {
    Added: (data) => {
      if (typeof data === 'object' && data !== null && 'by' in data) {
        if (typeof data.by === 'number') return { by: data.by };
      }
      throw new TypeError('by: must be a number');
    },
  },
  2,
);

export function counterStream(store: EventStore): Stream<number, CounterCommand, CounterEvent> {
  return { store, decider: counter, codec: counterCodec };
}

export function contextOf(commandId: string): CommandContext {
  return {
    commandId,
    correlationId: metadata.$correlationId,
    causationId: metadata.$causationId,
    actor: metadata.actor,
    at: metadata.occurredAt,
    traceparent: metadata.traceparent,
  };
}

export const add = (by: number, times = 1): CounterCommand => ({
  type: 'Add',
  data: { by, times },
});

/** Adds to a counter once per command id. */
export function addTo(store: EventStore, name: string, by: number, commandId: string) {
  return handle(counterStream(store), name, add(by), contextOf(commandId));
}
