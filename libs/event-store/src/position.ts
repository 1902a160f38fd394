import { InvalidEvent, type Position } from './event-store.js';

/** Positions of the adapters that number events: decimal digits, padded so that text sorts alike. */
const DIGITS = 20;
const NUMBERED = /^\d{20}$/;

/** Text that a store once gave out as a position; only that store can judge it. */
export function isPosition(text: string): text is Position {
  return text.length > 0;
}

export function positionFrom(number: bigint): Position {
  return positionOfDigits(number.toString());
}

export function positionOfDigits(digits: string): Position {
  const text = digits.padStart(DIGITS, '0');
  if (!isPosition(text)) throw new Error('A position is never empty.');
  return text;
}

/** The number of the last event that a subscription has seen: 0 where it starts. */
export function numberOf(position: Position | null): bigint {
  if (position === null) return 0n;
  if (!NUMBERED.test(position)) {
    throw new InvalidEvent('position', `must be ${DIGITS} digits, as this store gives them out`);
  }
  return BigInt(position);
}

export function compareNumbered(a: Position, b: Position): number {
  const [left, right] = [numberOf(a), numberOf(b)];
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
