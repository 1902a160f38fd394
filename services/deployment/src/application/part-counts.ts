import { load, type Loaded } from '@patchtrail/event-store';
import type { PartCount } from '../domain/rollout-messages.js';
import type { Failure } from '../domain/rollout-messages.js';
import type { CreatedRollout } from '../domain/rollout-state.js';
import { entriesOf } from '../domain/table.js';
import { touchedBy } from '../domain/wave-part.js';
import { countersOf, type Endpoint, type WavePart } from '../domain/wave-part-state.js';
import { partStream, type PartName } from './names.js';
import type { Streams } from './ports.js';

export type PartState = Readonly<{ name: PartName }> & Loaded<WavePart>;

/** The names of a rollout's parts, of one ring or of all. */
export function partNamesOf(rollout: CreatedRollout, only?: number): readonly PartName[] {
  const { rolloutId, cohort } = rollout;
  return (cohort?.rings ?? []).flatMap(({ parts }, ring) =>
    only !== undefined && only !== ring ? [] : parts.map((_, part) => ({ rolloutId, ring, part })),
  );
}

export async function readParts(
  { parts }: Pick<Streams, 'parts'>,
  names: readonly PartName[],
): Promise<readonly PartState[]> {
  const states: PartState[] = [];
  for (const name of names) states.push({ name, ...(await load(parts, partStream(name))) });
  return states;
}

export function partCountsOf(parts: readonly PartState[]): PartCount[] {
  return parts.map(({ name: { ring, part }, revision, state }) => {
    return { ring, part, revision, counters: countersOf(state) };
  });
}

export function touchedCountOf(parts: readonly PartState[]): number {
  return parts.reduce((sum, { state }) => sum + touchedBy(state).length, 0);
}

const FAILURES_MAX = 100;

export function failuresOf(
  parts: readonly PartState[],
  isFailure: (endpoint: Endpoint) => boolean,
): Failure[] {
  const failures: Failure[] = [];
  for (const { state } of parts) {
    if (state.status === 'absent') continue;
    for (const [endpointId, endpoint] of entriesOf(state.endpoints)) {
      if (!isFailure(endpoint) || failures.length === FAILURES_MAX) continue;
      failures.push({ endpointId, class: endpoint.class, detail: endpoint.detail });
    }
  }
  return failures;
}
