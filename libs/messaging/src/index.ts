export {
  AT_ONCE,
  type Bus,
  BusRefusal,
  type BusRefusalCode,
  type ConsumerOptions,
  type Delivery,
  MESSAGE_BYTES_MAX,
} from './bus.js';
export type { Apply } from './apply.js';
export { consume, type ConsumeOptions } from './consume.js';
export { enqueue } from './enqueue.js';
export type { Log } from './log.js';
export { messagingMigrations } from './migrations.js';
export { outboxLag, type RelayLag } from './outbox.js';
export { type MessagesOf, type Outgoing, type Publication, publicationOn } from './publication.js';
export {
  type ParkedMessage,
  parkedInOutbox,
  parkedMessage,
  parkedMessages,
  parkedOutbox,
  type ParkedWindow,
  type WholeParkedMessage,
} from './parked.js';
export {
  type OutboxReplay,
  ParkedAgain,
  parkedCount,
  replayParked,
  replayParkedOutbox,
  type ReplayOptions,
} from './parking.js';
export { purgeInbox, purgeRefusedMessages } from './retention.js';
export { type RelayOptions, type RelayPace, runOutboxRelay } from './relay.js';
export { busGrants, busMigrations } from './postgres/migrations.js';
export type { BusRetention } from './postgres/retention.js';
export { type OpenBus, openPostgresBus, type PostgresBusOptions } from './postgres/postgres-bus.js';
