export { APPEND_EVENTS_MAX } from './check-append.js';
export { type Codec, type DecodableEvent, jsonCodec, UndecodableEvent } from './codec.js';
export {
  type AllPage,
  APPEND_BYTES_MAX,
  AppendTooLarge,
  type AppendResult,
  type Direction,
  type EventMetadata,
  type EventStore,
  EventStoreUnavailable,
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
export { eventsFrom, type Stream, TruncatedStream } from './fold-stream.js';
export { type CommandContext, handle, type Handled, type HandleOptions, load } from './handle.js';
export { commandIdFrom } from './ids.js';
export {
  createKeyedQueue,
  type KeyedQueue,
  type KeyedQueueLimits,
  TooBusy,
} from './keyed-queue.js';
export { createMemoryEventStore } from './memory-event-store.js';
export {
  eventStoreKind,
  type EventStoreKind,
  openEventStore,
  type OpenEventStore,
} from './open-event-store.js';
export {
  createStateCache,
  type Loaded,
  type StateCache,
  type StateCacheLimits,
} from './state-cache.js';
export { type ArchivedRange, archiveEvents } from './postgres/archive/archive-events.js';
export { ArchiveDamaged } from './postgres/archive/archive-file.js';
export { restoreEvents } from './postgres/archive/restore-events.js';
export { EventStoreBusy } from './postgres/event-store-busy.js';
export { eventStoreGrants, eventStoreMigrations } from './postgres/migrations.js';
export { PositionArchived } from './postgres/position-archived.js';
export { openPostgresEventStore } from './postgres/postgres-event-store.js';
export type { PublishedShape, Upcasters } from './upcast.js';
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
export type { ProjectedTable } from './follow/projected-table.js';
export {
  type ProjectionDefinition,
  type ProjectionOptions,
  runProjection,
} from './follow/projection.js';
export { type ReactionLag, reactionLag } from './follow/reaction-lag.js';
export { runReaction } from './follow/reaction.js';
export { purgeRefusedEvents } from './follow/retention.js';
export type { Judgement, ReactionOptions } from './follow/reaction-options.js';
export {
  rebuildProjection,
  type RebuildOptions,
  type RebuildProgress,
  RebuildUnderWay,
  type Rebuilt,
  SwapRefused,
} from './follow/rebuild.js';
export type { RebuiltTable } from './follow/rebuild-tables.js';
export {
  projectTimer,
  runTimers,
  type Timer,
  type TimerOptions,
  TIMERS_TABLE,
} from './follow/timers.js';
