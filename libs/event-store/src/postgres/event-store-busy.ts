const REASONS = {
  'queue-full': 'too many requests are waiting already',
  'waited-too-long': 'the request waited too long for its turn',
  locked: 'another session held the lock of the event store for too long',
} as const;

/** Nothing was begun, or it was undone: the same request may be made again later. */
export class EventStoreBusy extends Error {
  constructor(
    readonly reason: keyof typeof REASONS,
    options?: ErrorOptions,
  ) {
    super(`The event store is busy: ${REASONS[reason]}.`, options);
    this.name = 'EventStoreBusy';
  }
}
