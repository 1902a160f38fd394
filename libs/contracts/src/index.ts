export { assertCloudEvent } from './assert-cloud-event.js';
export { asyncApiDocument, type ExampleMessages } from './async-api.js';
export type { CloudEvent } from './cloud-event.js';
export {
  assertData,
  ContractViolation,
  type DataOf,
  defineEvent,
  type EventDefinition,
  type EventOrigin,
  isEvent,
  toCloudEvent,
} from './define-event.js';
export { type ConsumerGroup, CONSUMERS } from './consumers.js';
export {
  DEAD_LETTER_PARTITIONS,
  type DeadLetterOrigin,
  deadLetterTopic,
  MALFORMED_MESSAGE,
} from './dead-letter.js';
export { decoder } from './decoder.js';
export { Cap, Change, digestOf, isWithin, PatchRef, Plan, Reach, Ring } from './change.js';
export {
  type GroupSelectors,
  matchesSelector,
  type SelectableEndpoint,
  Selector,
  unknownAttribute,
} from './selector.js';
export {
  APPLICABILITY_STATES,
  ApplicabilityState,
  BUSINESS_IMPACTS,
  BusinessImpact,
  CATEGORIES,
  Category,
  Count,
  Digest,
  Environment,
  ENVIRONMENTS,
  Exposure,
  EXPOSURES,
  Id,
  Instant,
  literals,
  nullable,
  Response,
} from './vocabulary.js';
export { EndpointAttributes } from './endpoint-attributes.js';
export { Artifact, ENDPOINTS_TOPIC, Patch, PATCHES_TOPIC } from './discovery.js';
export { DECISIONS_TOPIC, PriorityDecision } from './prioritization.js';
export { REQUESTS_TOPIC } from './approval.js';
export { INTEGRATION_EVENTS, TOPIC_PARTITIONS, TOPICS } from './integration-events.js';
export { jsonSchemaOf } from './json-schema.js';
export { OUTCOMES_TOPIC, PackageVersion, ROLLOUTS_TOPIC } from './deployment.js';
export * as discovery from './discovery.js';
export * as prioritization from './prioritization.js';
export * as approval from './approval.js';
export * as deployment from './deployment.js';
