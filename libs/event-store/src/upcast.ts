import type { Json } from './event-store.js';

/**
 * How data of older schema versions becomes data of newer ones. Under an event type and a version
 * stands the pure function that gives the data of the next version; where none stands, the data of
 * the two versions are the same. It may neither look at a clock nor draw at random, for an event has
 * to read the same for ever.
 *
 * A type keeps its name, and one event stays one event: where a meaning changes or splits, the old
 * type stays in the union, a new one (`…V2`) is written instead, and `evolve` knows both.
 */
export type Upcasters<T extends string> = Readonly<
  Partial<Record<T, Readonly<Record<number, (data: Json) => Json>>>>
>;

/** Schema versions of a stream in which the data of a type had one shape, both ends included. */
export type PublishedShape = Readonly<{ type: string; from: number; to: number }>;

type Chain = ReadonlyMap<number, (data: Json) => Json>;

/** @throws RangeError for a version that no event was written in before the current one */
export function upcasting(
  types: readonly string[],
  upcasters: Upcasters<string>,
  schemaVersion: number,
) {
  const chains = new Map(types.map((type) => [type, chainOf(upcasters[type])]));
  for (const [type, chain] of chains) {
    for (const version of chain.keys()) {
      if (Number.isInteger(version) && version >= 1 && version < schemaVersion) continue;
      throw new RangeError(
        `upcasters.${type}.${String(version)}: must be a version from 1 to ${String(schemaVersion - 1)}`,
      );
    }
  }

  /** The data as the current version has it. @throws Error naming the step that failed */
  const upcast = (type: string, version: number, data: Json): Json => {
    const chain = chains.get(type);
    if (chain === undefined) return data;
    let current = data;
    for (const [from, step] of chain) {
      if (from >= version) current = stepped(from, step, current);
    }
    return current;
  };

  const published: readonly PublishedShape[] = [...chains].flatMap(([type, chain]) => {
    const lasts = [...chain.keys(), schemaVersion];
    return lasts.map((to, index) => ({ type, from: (lasts[index - 1] ?? 0) + 1, to }));
  });
  return { upcast, published };
}

function chainOf(steps: Upcasters<string>[string] = {}): Chain {
  // Keys that are whole numbers come in their order, whatever the order they were written in.
  return new Map(Object.entries(steps).map(([version, step]) => [Number(version), step]));
}

function stepped(from: number, step: (data: Json) => Json, data: Json): Json {
  try {
    return step(data);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`from schema version ${from} to ${from + 1}: ${reason}`, { cause });
  }
}
