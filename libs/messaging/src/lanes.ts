import type { Delivery } from './bus.js';

export type Lanes = Readonly<{
  /** Those of each partition in the order of their offsets. */
  deliveries: readonly Delivery[];
  atOnce: number;
  /** Nothing further is begun once it is. */
  isOver: () => boolean;
  /** Whether it was handled; if not, nothing further of its partition is begun. */
  handle: (delivery: Delivery) => Promise<boolean>;
  /** Everything of its partition up to this delivery is handled. */
  settled: (delivery: Delivery) => Promise<void>;
}>;

/**
 * Handles deliveries, so many at once: those of a key in their order and never two of them. It
 * resolves, or rejects with the first thing thrown, when none is in hand any more.
 */
export async function handleInLanes(lanes: Lanes): Promise<void> {
  const { deliveries, atOnce, isOver, handle, settled } = lanes;
  const waiting = [...deliveries];
  const busyKeys = new Set<string>();
  const failed = new Set<string>();
  const advance = prefixesOf(deliveries);
  let thrown: { readonly error: unknown } | null = null;

  const take = (): Delivery | null => {
    if (thrown !== null || isOver()) return null;
    const isFree = (each: Delivery) =>
      !busyKeys.has(each.message.partitionkey) && !failed.has(partitionOf(each));
    const at = waiting.findIndex(isFree);
    return at < 0 ? null : (waiting.splice(at, 1)[0] ?? null);
  };
  const finish = async (delivery: Delivery) => {
    if (!(await handle(delivery))) {
      failed.add(partitionOf(delivery));
      return;
    }
    const last = advance(delivery);
    if (last !== null) await settled(last);
  };
  /** Ends when there is nothing left, or only keys that another lane is busy with and goes on with. */
  const lane = async () => {
    for (let delivery = take(); delivery !== null; delivery = take()) {
      const key = delivery.message.partitionkey;
      busyKeys.add(key);
      try {
        await finish(delivery);
      } catch (error) {
        thrown ??= { error };
      }
      busyKeys.delete(key);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  throwIfAny(thrown);
}

function throwIfAny(thrown: { readonly error: unknown } | null): void {
  if (thrown !== null) throw thrown.error;
}

/** Given one that is handled, up to where its partition is; `null` while one before it is not. */
function prefixesOf(deliveries: readonly Delivery[]): (handled: Delivery) => Delivery | null {
  const inOrder = new Map<string, Delivery[]>();
  const done = new Set<Delivery>();
  for (const delivery of deliveries) {
    const partition = partitionOf(delivery);
    const before = inOrder.get(partition);
    if (before === undefined) inOrder.set(partition, [delivery]);
    else before.push(delivery);
  }
  return (handled) => {
    done.add(handled);
    const open = inOrder.get(partitionOf(handled)) ?? [];
    const firstOpen = open.findIndex((each) => !done.has(each));
    const [last = null] = open.splice(0, firstOpen < 0 ? open.length : firstOpen).slice(-1);
    return last;
  };
}

function partitionOf({ topic, partition }: Delivery): string {
  return `${topic}/${String(partition)}`;
}
