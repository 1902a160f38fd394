// PostgreSQL takes no NUL, and half a surrogate pair has no UTF-8.
const UNSTORABLE = /[\u0000\ud800-\udfff]/u;
const DEPTH_MAX = 64;

type Fault = Readonly<{ path: readonly string[]; rule: string }>;

/**
 * What keeps a body from becoming an instance: more than 64 levels, or a key that every object
 * inherits, such as `constructor`, which would be lost.
 */
export function structureFault(value: unknown, depth = 0): Fault | null {
  if (typeof value !== 'object' || value === null) return null;
  if (depth > DEPTH_MAX) return { path: [], rule: 'is nested too deep' };
  for (const [key, item] of Object.entries(value)) {
    if (!Array.isArray(value) && key in Object.prototype) {
      return { path: [key], rule: 'is not a known field' };
    }
    const inner = structureFault(item, depth + 1);
    if (inner !== null) return { ...inner, path: [key, ...inner.path] };
  }
  return null;
}

/** Whether a text can be stored and digested as it is. */
export function isStorableText(text: string): boolean {
  return !UNSTORABLE.test(text);
}

/** Whether every key and text of a JSON value is storable, at most 64 levels deep. */
export function isStorableJson(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return isStorableText(value);
  if (typeof value !== 'object' || value === null) return value !== undefined;
  if (depth >= DEPTH_MAX) return false;
  if (Array.isArray(value)) return value.every((item) => isStorableJson(item, depth + 1));
  return Object.entries(value).every(
    ([key, item]) => isStorableText(key) && isStorableJson(item, depth + 1),
  );
}
