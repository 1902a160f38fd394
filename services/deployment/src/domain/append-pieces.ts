/** Below what one append may hold, with room for what else is in it. */
const BYTES_MAX = 800_000;
/** A character of JSON in UTF-8. */
const CHARACTER_BYTES_MAX = 3;

/** The first of the items, as many as one append can hold and at least one; the rest comes later. */
export function firstPiece<T>(items: readonly T[]): T[] {
  let bytes = 0;
  const end = items.findIndex((item, index) => {
    bytes += JSON.stringify(item).length * CHARACTER_BYTES_MAX;
    return index > 0 && bytes > BYTES_MAX;
  });
  return items.slice(0, end === -1 ? items.length : end);
}
