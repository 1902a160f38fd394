import { v5 } from 'uuid';
import type { Json } from './event-store.js';

/** Fixed for ever: ids derived from the same parts must stay the same over all releases. */
const NAMESPACE = '5d0f4a53-7c0e-4b0b-9a35-8d1c2be1f6a7';

/** The same UUID for the same parts in the same order, on every host and at any time. */
export function commandIdFrom(...parts: readonly string[]): string {
  // As a JSON array, for ('ab', 'c') and ('a', 'bc') are different parts.
  return v5(JSON.stringify(parts), NAMESPACE);
}

/**
 * The id of the n-th of the events that a command led to in a stream. It names their number and its
 * content too: the store takes the same ids at the same revision for the same append, and a command
 * that is given again may lead to something else.
 */
export function eventIdFrom(event: {
  commandId: string;
  stream: string;
  index: number;
  count: number;
  type: string;
  data: Json;
}): string {
  const { commandId, stream, index, count, type, data } = event;
  return v5(JSON.stringify(['event', commandId, stream, index, count, type, data]), NAMESPACE);
}
