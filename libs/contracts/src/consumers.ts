import { REQUESTS_TOPIC } from './approval.js';
import { ENDPOINTS_TOPIC, PATCHES_TOPIC } from './discovery.js';
import { TOPICS } from './integration-events.js';
import { DECISIONS_TOPIC } from './prioritization.js';

/** Members of the group `<service>.<purpose>` share the partitions of its topics. */
export type ConsumerGroup = Readonly<{ group: string; topics: readonly string[] }>;

/** Who reads what. A service takes its group from here, and so does the AsyncAPI document. */
export const CONSUMERS = {
  prioritization: {
    group: 'prioritization.on-discovery',
    topics: [ENDPOINTS_TOPIC, PATCHES_TOPIC],
  },
  approval: {
    group: 'approval.fleet',
    topics: [PATCHES_TOPIC, ENDPOINTS_TOPIC, DECISIONS_TOPIC],
  },
  deploymentFleet: {
    group: 'deployment.on-discovery',
    topics: [ENDPOINTS_TOPIC, PATCHES_TOPIC],
  },
  deploymentRequests: { group: 'deployment.on-approval', topics: [REQUESTS_TOPIC] },
  reporting: { group: 'reporting.trail', topics: TOPICS },
} as const satisfies Readonly<Record<string, ConsumerGroup>>;
