import { InvalidEvent, type Position } from '../event-store.js';
import { isPosition } from '../position.js';

/** A place in the server's log, in bytes. */
export type LogPosition = Readonly<{ commit: bigint; prepare: bigint }>;

/** Beyond this the server means "none" or "the end", and never the place of an event. */
const BEYOND_ALL = 2n ** 63n;
const DIGITS = 20;
const TEXT = /^(\d{20})\/(\d{20})$/;

/** The text of a place: padded, so that it sorts as places do. */
export function positionOf({ commit, prepare }: LogPosition): Position {
  const text = [commit, prepare].map((part) => part.toString().padStart(DIGITS, '0')).join('/');
  if (!isPosition(text)) throw new Error('A position is never empty.');
  return text;
}

/** @throws InvalidEvent where the text is none that this store gives out */
export function logPositionOf(position: Position): LogPosition {
  const [, commit = '', prepare = ''] = TEXT.exec(position) ?? [];
  const place = { commit: BigInt(commit), prepare: BigInt(prepare) };
  if (commit === '' || !isPlace(place)) {
    throw new InvalidEvent(
      'position',
      `must be two numbers of ${DIGITS} digits with a slash, as this store gives them out`,
    );
  }
  return place;
}

/**
 * A subscription that has passed nothing yet may report the largest number there is as how far it
 * has come: whoever resumed from there would read nothing ever again.
 */
export function isPlace({ commit, prepare }: LogPosition): boolean {
  return commit < BEYOND_ALL && prepare < BEYOND_ALL;
}

export function compareLogPositions(a: LogPosition, b: LogPosition): number {
  const [left, right] = a.commit === b.commit ? [a.prepare, b.prepare] : [a.commit, b.commit];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

export function comparePositions(a: Position, b: Position): number {
  return compareLogPositions(logPositionOf(a), logPositionOf(b));
}

/** Whether everything up to `place` is at or before `at`; `null` is before everything. */
export function hasPassed(at: LogPosition | null, place: LogPosition): boolean {
  return at !== null && compareLogPositions(at, place) >= 0;
}
