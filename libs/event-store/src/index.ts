export { APPEND_EVENTS_MAX } from './check-append.js';
export { type Codec, jsonCodec, UndecodableEvent } from './codec.js';
export {
  type AllPage,
  APPEND_BYTES_MAX,
  AppendTooLarge,
  type AppendResult,
  type Direction,
  type EventMetadata,
  type EventStore,
  type ExpectedRevision,
  InvalidEvent,
  type Json,
  type NewEvent,
  type Position,
  type ReadAllOptions,
  type ReadOptions,
  type StoredEvent,
  type SubscribeOptions,
  type SubscriptionItem,
  WrongExpectedRevision,
} from './event-store.js';
export {
  type CommandContext,
  handle,
  type Handled,
  load,
  type Loaded,
  type Stream,
} from './handle.js';
export { commandIdFrom } from './ids.js';
export { createMemoryEventStore } from './memory-event-store.js';
export { eventStoreGrants, eventStoreMigrations } from './postgres/migrations.js';
export { openPostgresEventStore } from './postgres/postgres-event-store.js';
export { bindStore, ForeignEventStore } from './follow/bind-store.js';
export type { Log } from './follow/log.js';
export { projectionMigrations } from './follow/migrations.js';
export {
  type EventReplay,
  type ParkedEvent,
  parkedEvent,
  parkedEventCount,
  parkedEvents,
  replayParkedEvents,
} from './follow/parked-events.js';
export type { Projection } from './follow/progress.js';
export { type ProjectionOptions, runProjection } from './follow/projection.js';
export { type Judgement, type ReactionOptions, runReaction } from './follow/reaction.js';
export { projectTimer, runTimers, type Timer, type TimerOptions } from './follow/timers.js';
