import { InvalidEvent, type Json } from './event-store.js';

const DEPTH_MAX = 64;
/** A control character as \u001f. */
const ESCAPED_BYTES_MAX = 6;
/** The longest number, -1.7976931348623157e+308 and the like. */
const PRIMITIVE_BYTES_MAX = 25;

/**
 * A frozen copy of a value as JSON; properties that are `undefined` are left out.
 * @throws InvalidEvent naming the field that JSON cannot carry
 */
export function toJson(value: unknown, field: string, depth = 0): Json {
  if (depth > DEPTH_MAX) {
    throw new InvalidEvent(field, `must not be nested deeper than ${DEPTH_MAX} levels`);
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return toNumber(value, field);
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    return Object.freeze(
      Array.from(items, (item, index) => toJson(item, `${field}[${index}]`, depth + 1)),
    );
  }
  if (isPlainObject(value)) return toObject(value, field, depth);
  throw new InvalidEvent(field, 'must be JSON: text, number, boolean, null, array or plain object');
}

function toObject(value: object, field: string, depth: number): Json {
  const copy: Record<string, Json> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) define(copy, key, toJson(item, `${field}.${key}`, depth + 1));
  }
  return Object.freeze(copy);
}

/** At least the bytes that the value has as JSON in UTF-8, without writing it. */
export function jsonBytesAtMost(value: Json): number {
  if (typeof value === 'string') return value.length * ESCAPED_BYTES_MAX + 2;
  if (typeof value !== 'object' || value === null) return PRIMITIVE_BYTES_MAX;
  let bytes = 2;
  // An array's indexes take the part of the keys: it is only a bound.
  for (const [key, item] of Object.entries(value)) {
    bytes += key.length * ESCAPED_BYTES_MAX + 4 + jsonBytesAtMost(item);
  }
  return bytes;
}

/** An assignment to `__proto__` would not make a property. */
function define(copy: Record<string, Json>, key: string, value: Json): void {
  if (key !== '__proto__') copy[key] = value;
  else Object.defineProperty(copy, key, { value, enumerable: true });
}

function toNumber(value: number, field: string): number {
  if (!Number.isFinite(value)) throw new InvalidEvent(field, 'must be a finite number');
  // JSON has no negative zero.
  return value === 0 ? 0 : value;
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return true;
  // By its own parent and not by identity: an object may come from another realm.
  return typeof prototype === 'object' && Object.getPrototypeOf(prototype) === null;
}
