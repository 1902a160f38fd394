import type { Message } from '@patchtrail/event-sourcing';
import type { Position, Stream } from '@patchtrail/event-store';

export type Read<S> = Readonly<{
  state: S;
  /** -1 where there is no stream. */
  revision: number;
  position: Position | null;
}>;

/** The state of a stream as the store has it now. */
export type StreamReader<S> = (name: string) => Promise<Read<S>>;

const PAGE_SIZE = 1_000;
const REMEMBERED_MAX = 2_000;

/**
 * Remembers folds and reads only what was appended since. Streams are append-only, so what has been
 * folded stays true; the least recently read ones are forgotten.
 */
export function createStreamReader<S, C extends Message, E extends Message>(
  stream: Stream<S, C, E>,
): StreamReader<S> {
  const remembered = new Map<string, Read<S>>();
  const { store, decider, codec } = stream;

  return async (name) => {
    const nothing: Read<S> = { state: decider.initial, revision: -1, position: null };
    let at = remembered.get(name) ?? nothing;
    for (;;) {
      const page = await store.read(name, { from: at.revision + 1, maxCount: PAGE_SIZE });
      for (const stored of page) {
        const { revision, position } = stored;
        at = { state: decider.evolve(at.state, codec.decode(stored)), revision, position };
      }
      if (page.length < PAGE_SIZE) break;
    }
    remembered.delete(name);
    remembered.set(name, at);
    const oldest = remembered.keys().next();
    if (remembered.size > REMEMBERED_MAX && oldest.done !== true) remembered.delete(oldest.value);
    return at;
  };
}
