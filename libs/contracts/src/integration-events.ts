import * as approval from './approval.js';
import type { EventDefinition } from './define-event.js';
import * as deployment from './deployment.js';
import * as discovery from './discovery.js';
import * as prioritization from './prioritization.js';

/**
 * Every integration event, in the order of its type: whatever a context's file exports as a
 * definition is in the list, so nobody can forget to add it.
 */
export const INTEGRATION_EVENTS: readonly EventDefinition[] = [
  discovery,
  prioritization,
  approval,
  deployment,
]
  .flatMap((context): unknown[] => Object.values(context))
  .filter(isDefinition)
  .toSorted((a, b) => (a.type < b.type ? -1 : 1));

/** Every topic that an integration event is published on. */
export const TOPICS: readonly string[] = [
  ...new Set(INTEGRATION_EVENTS.map(({ topic }) => topic)),
].toSorted();

/** Partitions of every topic. It never changes, for the partition of a key follows from it. */
export const TOPIC_PARTITIONS = 12;

function isDefinition(exported: unknown): exported is EventDefinition {
  return (
    typeof exported === 'object' &&
    exported !== null &&
    'type' in exported &&
    typeof exported.type === 'string' &&
    'topic' in exported &&
    'schema' in exported
  );
}
