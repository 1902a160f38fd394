import { commandIdFrom } from '@patchtrail/event-store';

export const ROLLOUT_PREFIX = 'rollout-';
export const PART_PREFIX = 'rolloutWave-';

export type PartName = Readonly<{ rolloutId: string; ring: number; part: number }>;

/** One rollout per request, whichever message announces it first. */
export function rolloutIdOf(requestId: string): string {
  return commandIdFrom('rollout', requestId);
}

export function rolloutStream(rolloutId: string): string {
  return `${ROLLOUT_PREFIX}${rolloutId}`;
}

export function partStream({ rolloutId, ring, part }: PartName): string {
  return `${PART_PREFIX}${rolloutId}_${ring}_${part}`;
}

/** `null` for a stream that is not a part of a wave. */
export function parsePartStream(stream: string): PartName | null {
  const match = /^rolloutWave-([^_]+)_(\d+)_(\d+)$/.exec(stream);
  const [, rolloutId, ring, part] = match ?? [];
  if (rolloutId === undefined) return null;
  return { rolloutId, ring: Number(ring), part: Number(part) };
}
