import type { Position } from '@patchtrail/event-store';
import type { SnapshotFacts } from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';
import type { OpenRequestPorts } from '../../application/open-request.js';
import type { Lists } from '../postgres/lists.js';

/** What the routes of this service work with; the composition root provides it. */
export type ApprovalContext = OpenRequestPorts &
  Readonly<{
    db: Database;
    lists: Lists;
    /** How fresh the lists are. */
    freshness: () => SnapshotFacts;
    /** Resolves when the lists hold everything up to the position, or after a bounded wait. */
    settled: (position: Position | null) => Promise<void>;
  }>;

export const APPROVAL_CONTEXT = Symbol('APPROVAL_CONTEXT');
