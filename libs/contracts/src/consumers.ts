import * as approval from './approval.js';
import type { EventDefinition } from './define-event.js';
import * as discovery from './discovery.js';
import { TOPICS } from './integration-events.js';
import * as prioritization from './prioritization.js';

/** Members of the group `<service>.<purpose>` share the partitions of its topics. */
export type ConsumerGroup = Readonly<{
  group: string;
  topics: readonly string[];
  /** Types of the messages that it acts on, passing over the others; `null` for whatever comes. */
  types: readonly string[] | null;
}>;

function actingOn(group: string, events: readonly EventDefinition[]): ConsumerGroup {
  const topics = [...new Set(events.map(({ topic }) => topic))].toSorted();
  return { group, topics, types: events.map(({ type }) => type).toSorted() };
}

/** Who reads what. A service takes its group from here, and so does the AsyncAPI document. */
export const CONSUMERS = {
  prioritization: actingOn('prioritization.on-discovery', [
    discovery.EndpointEnrolled,
    discovery.EndpointAttributesChanged,
    discovery.EndpointRetired,
    discovery.ApplicabilityChanged,
    discovery.PatchDiscovered,
    discovery.PatchRevised,
    discovery.PatchSuperseded,
    discovery.PatchWithdrawn,
    discovery.ThreatSignalChanged,
  ]),
  approval: actingOn('approval.fleet', [
    discovery.PatchDiscovered,
    discovery.PatchRevised,
    discovery.PatchSuperseded,
    discovery.PatchWithdrawn,
    discovery.EndpointEnrolled,
    discovery.EndpointAttributesChanged,
    discovery.EndpointRetired,
    discovery.ApplicabilityChanged,
    discovery.DeviceGroupChanged,
    prioritization.PatchPrioritized,
    prioritization.PatchReprioritized,
  ]),
  deploymentFleet: actingOn('deployment.on-discovery', [
    discovery.PatchDiscovered,
    discovery.PatchRevised,
    discovery.DeviceGroupChanged,
    discovery.EndpointEnrolled,
    discovery.EndpointAttributesChanged,
    discovery.EndpointRetired,
    discovery.ApplicabilityChanged,
  ]),
  deploymentRequests: actingOn('deployment.on-approval', [approval.RingsAuthorized]),
  reporting: { group: 'reporting.trail', topics: TOPICS, types: null },
} as const satisfies Readonly<Record<string, ConsumerGroup>>;
