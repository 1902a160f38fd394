import { hash } from 'node:crypto';
import type { Json } from './event-store.js';

/** Fixed for ever: ids derived from the same parts must stay the same over all releases. */
const NAMESPACE = '5d0f4a53-7c0e-4b0b-9a35-8d1c2be1f6a7';

const NAMESPACE_BYTES = Buffer.from(NAMESPACE.replaceAll('-', ''), 'hex');

/** The same UUID for the same parts in the same order, on every host and at any time. */
export function commandIdFrom(...parts: readonly string[]): string {
  // As a JSON array, for ('ab', 'c') and ('a', 'bc') are different parts.
  return uuidOf(JSON.stringify(parts));
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
  return uuidOf(JSON.stringify(['event', commandId, stream, index, count, type, data]));
}

/** Version 5 of RFC 9562: by SHA-1 in the namespace. */
function uuidOf(name: string): string {
  const bytes = Buffer.concat([NAMESPACE_BYTES, Buffer.from(name)]);
  const digest = hash('sha1', bytes, 'buffer');
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x50, 6);
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = digest.toString('hex', 0, 16);
  const [a, b, c] = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16)];
  return `${a}-${b}-${c}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
