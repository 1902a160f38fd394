import type { Position } from '../event-store.js';

/** Events that a reader of all events would have to pass are no longer in the database. */
export class PositionArchived extends Error {
  constructor(
    /** Where the reader wanted to go on; `null` is the beginning. */
    readonly position: Position | null,
    /** The first and the last position that the file holds. */
    readonly range: Readonly<{ first: Position; last: Position }>,
    readonly file: string,
  ) {
    super(
      `The events from ${range.first} to ${range.last} are archived in ${file}: restore them, or go on after them.`,
    );
    this.name = 'PositionArchived';
  }
}
