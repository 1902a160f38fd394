import {
  type CommandContext,
  commandIdFrom,
  handle,
  load,
  type StoredEvent,
} from '@patchtrail/event-store';
import type { RolloutCommand } from '../domain/rollout-messages.js';
import type { CreatedRollout } from '../domain/rollout-state.js';
import type { WavePartCommand } from '../domain/wave-part-messages.js';
import type { WavePart } from '../domain/wave-part-state.js';
import { type PartName, parsePartStream, partStream, rolloutStream } from './names.js';
import type { CohortDrafts, Fleet, Streams } from './ports.js';

/** What the process managers need; every command they send is derived from the event in hand. */
export type DriverDeps = Readonly<{
  streams: Streams;
  fleet: Fleet;
  drafts: CohortDrafts;
  /** Waits, within a bound, until what discovery has published so far is known here. */
  fleetSettled: () => Promise<void>;
  now: () => Date;
  /** Endpoints in a part, about; 500 unless told. */
  partSize?: number;
}>;

export type Cause = Readonly<{ event: StoredEvent; rolloutId: string }>;

/** The rollout that an event is about; `null` for a stream of another kind. */
export function causeOf(event: StoredEvent): Cause | null {
  const part = parsePartStream(event.stream);
  if (part !== null) return { event, rolloutId: part.rolloutId };
  const prefix = rolloutStream('');
  if (!event.stream.startsWith(prefix)) return null;
  return { event, rolloutId: event.stream.slice(prefix.length) };
}

/** The same event leads to the same command ids, so a reaction that is repeated changes nothing. */
function contextFor(deps: DriverDeps, { event }: Cause, ...purpose: string[]): CommandContext {
  return {
    commandId: commandIdFrom(event.id, ...purpose),
    correlationId: event.metadata.$correlationId,
    causationId: event.id,
    actor: 'service:deployment',
    at: deps.now().toISOString(),
    traceparent: event.metadata.traceparent,
  };
}

export async function readCreated(deps: DriverDeps, { rolloutId }: Cause): Promise<CreatedRollout> {
  const { state } = await load(deps.streams.rollouts, rolloutStream(rolloutId));
  if (state.status === 'absent') throw new Error(`Rollout ${rolloutId} has no events.`);
  return state;
}

export async function tellRollout(
  deps: DriverDeps,
  cause: Cause,
  command: RolloutCommand,
): Promise<void> {
  const context = contextFor(deps, cause, command.type);
  await handle(deps.streams.rollouts, rolloutStream(cause.rolloutId), command, context);
}

/** More appends than a fleet of a million in one part takes. */
const PIECES_MAX = 10_000;

/** Tells a part again until it is done: what follows may be more than one append holds. */
export async function tellPartUntil(
  deps: DriverDeps,
  cause: Cause,
  name: PartName,
  command: WavePartCommand,
  isDone: (part: WavePart) => boolean,
): Promise<WavePart> {
  for (let piece = 0; piece < PIECES_MAX; piece += 1) {
    const part = await tellPart(deps, cause, name, command, piece);
    if (isDone(part)) return part;
  }
  throw new Error(`${partStream(name)} is not done after ${PIECES_MAX} of ${command.type}.`);
}

export async function tellPart(
  deps: DriverDeps,
  cause: Cause,
  name: PartName,
  command: WavePartCommand,
  piece = 0,
): Promise<WavePart> {
  const stream = partStream(name);
  const context = contextFor(deps, cause, command.type, stream, String(piece));
  return (await handle(deps.streams.parts, stream, command, context)).state;
}
