/**
 * A persistent map. Folding a stream puts thousands of times, and copying a whole map each time
 * would make a fold quadratic; here a put copies one small bucket.
 */
export type Table<V> = readonly ReadonlyMap<string, V>[];

const BUCKETS = 64;

export const emptyTable: Table<never> = Array.from(
  { length: BUCKETS },
  () => new Map<string, never>(),
);

function bucketOf(key: string): number {
  let hash = 0;
  for (let at = 0; at < key.length; at += 1) hash = (hash * 31 + key.charCodeAt(at)) | 0;
  return Math.abs(hash % BUCKETS);
}

export function get<V>(table: Table<V>, key: string): V | undefined {
  return table[bucketOf(key)]?.get(key);
}

export function put<V>(table: Table<V>, key: string, value: V): Table<V> {
  const at = bucketOf(key);
  return table.with(at, new Map(table[at]).set(key, value));
}

export function* entriesOf<V>(table: Table<V>): Generator<[string, V]> {
  for (const bucket of table) yield* bucket;
}
