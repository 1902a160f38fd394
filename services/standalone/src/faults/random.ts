/** Pseudo-random numbers, the same sequence for the same seed. */
export type Random = Readonly<{
  /** A whole number from 0 up to, but without, `n`. */
  below: (n: number) => number;
  pick: <T>(from: readonly [T, ...T[]]) => T;
  shuffled: <T>(items: readonly T[]) => readonly T[];
  /** A sequence of its own, so that two users do not disturb each other's. */
  fork: (name: string) => Random;
}>;

/** Mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n: number) => Math.floor(next() * n);
  return {
    below,
    pick: ([first, ...others]) => [first, ...others][below(others.length + 1)] ?? first,
    shuffled: (items) =>
      items
        .map((item) => ({ item, rank: next() }))
        .toSorted((a, b) => a.rank - b.rank)
        .map(({ item }) => item),
    fork: (name) => randomFrom(hashOf(`${String(seed)} ${name}`)),
  };
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return hash >>> 0;
}
