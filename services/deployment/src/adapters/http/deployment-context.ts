import type { SnapshotFacts } from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';
import type { AgentDeps } from '../../application/lease-ports.js';
import type { Lists } from '../postgres/lists.js';

/** What the routes of this service work with; the composition root provides it. */
export type DeploymentContext = AgentDeps &
  Readonly<{
    db: Database;
    lists: Lists;
    /** How fresh the lists are. */
    freshness: () => SnapshotFacts;
  }>;

export const DEPLOYMENT_CONTEXT = Symbol('DEPLOYMENT_CONTEXT');
