/** Where a process is killed, and what each place means. */
export const POINTS = {
  'append-checkpoint': 'after an append, before the checkpoint or the answer that tells of it',
  'send-acknowledgement': 'between a send to the bus and its acknowledgement',
  'acknowledgement-checkpoint': 'after the acknowledgement, before the relay remembers it',
  projection: 'inside the transaction of a projection, everything written and nothing committed',
  'effect-offset': 'after the effect of a message is committed, before its offset is',
  'group-commit': 'inside a group commit, several appends waiting for one transaction',
  'hand-over': 'inside the hand-over of a relay, its epoch raised and nothing written under it',
  rebalance: 'during a rebalance, a member joining and its partitions not assigned',
  random: 'at a random instant',
} as const;

export type Point = keyof typeof POINTS;
export const POINT_NAMES = Object.keys(POINTS) as readonly Point[];

export function pointNamed(text: string): Point | null {
  return POINT_NAMES.find((name) => name === text) ?? null;
}
