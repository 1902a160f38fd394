import 'reflect-metadata';

export { Api, BodyLimit, For, ForAnyone, ForEndpoints } from './http/access.js';
export { type AccessOptions, accessProviders, ownEndpoint, personOf } from './http/access-guard.js';
export { Answers, named, Shows, ShowsList, Summary } from './http/answers.js';
export {
  type DtoClass,
  Flag,
  InstantField,
  Json,
  ListOf,
  type ListOptions,
  Nested,
  OneOf,
  Optional,
  OrNull,
  Shaped,
  Text,
  TextMap,
  type TextOptions,
  Uuid,
  UUID,
  Whole,
} from './http/fields.js';
export { createHttpApp, type HttpApp, type HttpAppOptions } from './http/http-app.js';
export type { Readiness } from './http/health.js';
export { claim, idempotencyMigration, once, purgeIdempotencyKeys } from './http/idempotency.js';
export { type ApiDoc, type ApiDocument, openApiDifference, writeOpenApi } from './http/openapi.js';
export {
  type Page,
  PAGE_SIZE_DEFAULT,
  PAGE_SIZE_MAX,
  type Paged,
  paged,
  pageOf,
  PageQuery,
  pageToken,
} from './http/paging.js';
export type { ParkedSources } from './http/parked-items.js';
export { PARKED_SOURCES, parkedMessagesController } from './http/parked-messages.controller.js';
export { parkedReplaysMigration } from './http/parked-replays.js';
export {
  asProblem,
  type FieldError,
  invalidField,
  notFound,
  Problem,
  problem,
  type ProblemDocument,
  refusingAbsent,
} from './http/problem.js';
export { statusOf } from './http/problem-codes.js';
export { sendProblem } from './http/problem-filter.js';
export { decode } from './http/request-pipe.js';
export {
  AsOf,
  Caller,
  Command,
  type CommandInput,
  Id,
  type Idempotency,
  IfMatch,
  Reply,
} from './http/request-parts.js';
export {
  type HttpReply,
  noContent,
  type Snapshot,
  snapshot,
  type SnapshotFacts,
  withEtag,
} from './http/snapshot.js';
export { backlogChecks } from './backlog.js';
export { now, parseInstant } from './instant.js';
export { lagClock } from './lag.js';
export { createLogger, type Logger, type LogLevel } from './logger.js';
export { FORGOTTEN_BY_ALL, type Forget, type Purge, runPurge } from './purge.js';
export { ConfigError, type ConfigIssue, type Environment, readConfig } from './read-config.js';
export {
  background,
  type Background,
  type Infra,
  type ReadyCheck,
  type ReadyReport,
  readyReport,
  type Service,
} from './service.js';
export { untilSignal } from './signals.js';
export { ensureTopics } from './topics.js';
