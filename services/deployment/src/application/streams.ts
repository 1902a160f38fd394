import { type Codec, createStateCache, type EventStore } from '@patchtrail/event-store';
import type { RolloutEvent } from '../domain/rollout-messages.js';
import { rollout } from '../domain/rollout.js';
import type { WavePartEvent } from '../domain/wave-part-messages.js';
import { wavePart } from '../domain/wave-part.js';
import type { Streams } from './ports.js';

export type Codecs = Readonly<{ rollout: Codec<RolloutEvent>; wavePart: Codec<WavePartEvent> }>;

/** With recently folded state at hand unless told otherwise: one per process. */
export function createStreams(
  store: EventStore,
  codecs: Codecs,
  options: { cached?: boolean } = {},
): Streams {
  const rollouts = { store, decider: rollout, codec: codecs.rollout };
  const parts = { store, decider: wavePart, codec: codecs.wavePart };
  if (options.cached === false) return { rollouts, parts };
  return {
    rollouts: { ...rollouts, cache: createStateCache() },
    parts: { ...parts, cache: createStateCache() },
  };
}
