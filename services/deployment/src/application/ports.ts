import type { Artifact, GroupSelectors, SelectableEndpoint } from '@patchtrail/contracts';
import type { Stream } from '@patchtrail/event-store';
import type { WavePart } from '../domain/wave-part-state.js';
import type { Kind, WavePartCommand, WavePartEvent } from '../domain/wave-part-messages.js';
import type { PatchRef } from '../domain/plan.js';
import type { RolloutCommand, RolloutEvent } from '../domain/rollout-messages.js';
import type { Rollout } from '../domain/rollout-state.js';
import type { CohortDraft } from './cohort.js';

export type RolloutStreams = Stream<Rollout, RolloutCommand, RolloutEvent>;
export type PartStreams = Stream<WavePart, WavePartCommand, WavePartEvent>;

export type Streams = Readonly<{ rollouts: RolloutStreams; parts: PartStreams }>;

/** What is known of the fleet from discovery's events. */
export type Fleet = Readonly<{
  groups: () => Promise<GroupSelectors>;
  /** Active endpoints on which at least one of the patches is missing or has failed, by id. */
  needing: (patchIds: readonly string[]) => Promise<readonly SelectableEndpoint[]>;
}>;

/** Cohorts as they were first computed. */
export type CohortDrafts = Readonly<{
  /** Keeps the draft unless there is one already; returns the one that is kept. */
  keep: (rolloutId: string, draft: CohortDraft) => Promise<CohortDraft>;
  find: (rolloutId: string) => Promise<CohortDraft | null>;
  drop: (rolloutId: string) => Promise<void>;
}>;

/** What is known of an endpoint while its lease is decided on. */
export type EndpointInHand = Readonly<{
  /** The part streams that have been opened and in which it has not ended, oldest first. */
  parts: readonly string[];
  /** Keeps the stream of a lease among its parts, wherever they are known from; `null` for none. */
  leaseIn: (stream: string | null) => Promise<void>;
  /** What an agent needs to install the patches; `null` if one is not known at its revision. */
  patches: (refs: readonly PatchRef[]) => Promise<readonly LeasedPatch[] | null>;
}>;

/** Which part streams an endpoint is in. */
export type Membership = Readonly<{
  /**
   * Does the work while no other lease of this endpoint is decided on, in any process.
   * @throws DomainError `unknown-endpoint`
   */
  alone: <T>(endpointId: string, work: (inHand: EndpointInHand) => Promise<T>) => Promise<T>;
  openParts: (endpointId: string) => Promise<readonly string[]>;
  /** The stream that holds an attempt, as far as the projection knows. */
  partOfAttempt: (attemptId: string) => Promise<string | null>;
}>;

export type RefusedReport = Readonly<{
  /** Who sent it. */
  endpointId: string;
  attemptId: string;
  kind: 'confirmation' | 'outcome';
  code: string;
  detail: string;
  reportDigest: string;
  at: string;
}>;

export type RefusedReports = Readonly<{ record: (report: RefusedReport) => Promise<void> }>;

export type LeasedPatch = Readonly<{
  patchId: string;
  sourcePackage: string;
  sourceVersion: string;
  artifacts: readonly Artifact[];
}>;

/** What an agent gets. */
export type LeaseOffer = Readonly<{
  attemptId: string;
  rolloutId: string;
  endpointId: string;
  /** The ring's name. */
  ring: string;
  kind: Kind;
  epoch: number;
  leaseExpiresAt: string;
  patches: readonly LeasedPatch[];
  rollbackOf: string | null;
}>;
