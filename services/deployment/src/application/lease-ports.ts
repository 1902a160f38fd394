import type { KeyedQueue } from '@patchtrail/event-store';
import type { Membership, RefusedReports, Streams } from './ports.js';

/** What serving agents needs. */
export type AgentDeps = Readonly<{
  streams: Streams;
  membership: Membership;
  refused: RefusedReports;
  /** By part stream: what is read, checked elsewhere and then appended is one piece of work. */
  queue: KeyedQueue;
}>;

/** Tries against other writers of the same part before the agent is asked to come back. */
export const CONFLICT_TRIES_MAX = 8;
