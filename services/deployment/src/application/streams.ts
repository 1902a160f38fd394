import type { Codec, EventStore } from '@patchtrail/event-store';
import type { RolloutEvent } from '../domain/rollout-messages.js';
import { rollout } from '../domain/rollout.js';
import type { WavePartEvent } from '../domain/wave-part-messages.js';
import { wavePart } from '../domain/wave-part.js';
import type { Streams } from './ports.js';
import { createStreamReader } from './stream-reader.js';

export type Codecs = Readonly<{ rollout: Codec<RolloutEvent>; wavePart: Codec<WavePartEvent> }>;

export function createStreams(store: EventStore, codecs: Codecs): Streams {
  const rollouts = { store, decider: rollout, codec: codecs.rollout };
  const parts = { store, decider: wavePart, codec: codecs.wavePart };
  const readRollout = createStreamReader(rollouts);
  return { rollouts, parts, readRollout, readPart: createStreamReader(parts) };
}
