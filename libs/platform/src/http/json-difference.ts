/** The JSON pointer of the first place at which two JSON values differ, or `null`. */
export function firstDifference(a: unknown, b: unknown, path = ''): string | null {
  if (!isTree(a) || !isTree(b)) return a === b ? null : path;
  const [left, right] = [new Map(Object.entries(a)), new Map(Object.entries(b))];
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    const place = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    if (!left.has(key) || !right.has(key)) return place;
    const found: string | null = firstDifference(left.get(key), right.get(key), place);
    if (found !== null) return found;
  }
  return null;
}

function isTree(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
