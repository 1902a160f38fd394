import { InvalidEvent, type Json } from './event-store.js';

const DEPTH_MAX = 64;

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
  if (isPlainObject(value)) {
    const entries = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, toJson(item, `${field}.${key}`, depth + 1)] as const);
    return Object.freeze(Object.fromEntries(entries));
  }
  throw new InvalidEvent(field, 'must be JSON: text, number, boolean, null, array or plain object');
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
