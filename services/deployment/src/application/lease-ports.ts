import type { KeyedQueue } from './keyed-queue.js';
import type { Membership, RefusedReports, Streams } from './ports.js';

/** What serving agents needs. */
export type AgentDeps = Readonly<{
  streams: Streams;
  membership: Membership;
  refused: RefusedReports;
  queue: KeyedQueue;
}>;

/** Tries against other writers of the same part before the agent is asked to come back. */
export const CONFLICT_TRIES_MAX = 8;
